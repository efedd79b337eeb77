"""The command as a program: `soundcharts-pipeline` and `python -m soundcharts_pipeline`.

Loading it takes half a second, in which Ctrl-C is an ending like any other and no traceback.
"""

import os
import signal


def main() -> None:
    """The command."""
    # A program that was started deaf to Ctrl-C, in the background of a script, stays so.
    hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if hears:
        signal.signal(signal.SIGINT, _leave)
    from soundcharts_pipeline.cli.main import main as command

    if hears:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command()


def _leave(_number: int, _frame: object) -> None:
    """Nothing is begun yet."""
    os.write(2, b"Interrupted: nothing was started\n")
    os._exit(130)


if __name__ == "__main__":
    main()
