"""`.env` is for a shell; Dagster's programs read the one of the current folder, and put it above what they were given.

Under `dev` and `serve` they would then work on another database, with other credentials, than every command beside
them. `python -m soundcharts_pipeline.orchestration.dagster_program ARGUMENTS...` is `dagster` that takes no variable of
ours from there.
"""

import os
import sys
from collections.abc import Sequence

OURS = ("SOUNDCHARTS_", "DAGSTER_")


def go_by_what_is_given() -> None:
    """For this process, and for the servers of code that it starts. Dagster has no setting for it."""
    from dagster._cli import utils
    from dagster._core.secrets.env_file import get_env_var_dict as read
    from dagster._grpc import server

    def of_others(folder: str) -> dict[str, str]:
        return {
            name: value for name, value in read(folder).items() if not name.startswith(OURS) and name not in os.environ
        }

    # These are not names that Dagster promises; a test with a `serve` beside such a file fails when they change.
    setattr(utils, "get_env_var_dict", of_others)  # noqa: B010
    setattr(server, "get_python_environment_entry_point", _this_program)  # noqa: B010


def _this_program(executable: str) -> Sequence[str]:
    return [executable, "-m", "soundcharts_pipeline.orchestration.dagster_program"]


if __name__ == "__main__":
    from dagster._cli import main

    go_by_what_is_given()
    sys.exit(main())  # type: ignore[no-untyped-call]
