"""How a command is told to end: by Ctrl-C, by the SIGTERM of a service manager or a script, by the SIGHUP of a terminal
that is closed. Each is a KeyboardInterrupt wherever the program is.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen() -> Callable[[], int]:
    """Hear them from now on, less what whoever started us made us deaf to: a script does so to Ctrl-C of what it starts
    in the background, `nohup` to SIGHUP. Returns what says which was heard first."""
    deaf = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    if signal.SIGINT in deaf:
        # Dagster gives SIGTERM the handler of SIGINT, also when that is to ignore it: so SIGINT is kept out instead.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if signal.SIGHUP not in deaf:
        signal.signal(signal.SIGHUP, _hang_up([stream for stream in (1, 2) if os.isatty(stream)]))
    heard, note = os.pipe()
    os.set_blocking(heard, False)
    os.set_blocking(note, False)
    # Python notes every signal here, whoever handles it: Dagster does while it works.
    signal.set_wakeup_fd(note, warn_on_full_buffer=False)

    def first() -> int:
        try:
            return os.read(heard, 1)[0]
        except BlockingIOError:
            return signal.SIGINT

    return first


def _hang_up(streams: list[int]) -> Callable[[int, object], None]:
    """What is printed to a terminal that is gone goes nowhere, where it would be an error in the midst of ending."""

    def hang_up(_number: int, _frame: object) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in streams:
            os.dup2(nowhere, stream)
        raise KeyboardInterrupt

    return hang_up


def hear_everything() -> None:
    """Undo the deafness that this process has inherited, for a program that is told to end by its parent alone."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def end_with_stdin() -> None:
    """End this process when its standard input does, and its children if it leads their group: a parent that is killed
    takes them along."""

    def follow() -> None:
        sys.stdin.read()
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGTERM)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()
