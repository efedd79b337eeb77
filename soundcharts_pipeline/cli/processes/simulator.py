"""A simulator in a process of its own, for the demo and for `dev` without credentials."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from soundcharts_pipeline.api.errors import NetworkError
from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.wording import program


@contextmanager
def simulator_process(*, latency: float, rate: int, now: datetime | None = None) -> Iterator[str]:
    """The URL of a simulator on a free port, which ends with the block; it is there on the UTC day of `now`, by default
    on the real one. Raises NetworkError when it does not start."""
    command = [sys.executable, "-m", "soundcharts_pipeline", "simulate", "--port", "0"]
    command += ["--latency", str(latency), "--rate", str(rate), "--quota", "1000000", "--until-stdin-ends"]
    command += ["--today", str(now.date())] if now else []
    # A session of its own: Ctrl-C is for us, and the last calls of the run still find an answer.
    process = subprocess.Popen(  # noqa: S603  # our own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  # they are pipes
    try:
        line = process.stdout.readline()
        if not line.startswith("http"):
            raise NetworkError(f"the local simulator did not start; `{program()} simulate` shows why")
        yield line.strip()
    finally:
        process.terminate()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def use_simulator(url: str, *, calls_per_minute: int) -> None:
    """Point this process and its children to it."""
    os.environ |= {
        "SOUNDCHARTS_BASE_URL": url,
        "SOUNDCHARTS_AUTH_URL": url,
        "SOUNDCHARTS_APP_ID": "soundcharts",
        "SOUNDCHARTS_API_KEY": "soundcharts",
        "SOUNDCHARTS_CALLS_PER_MINUTE": str(calls_per_minute),
    }
    for name in ("SOUNDCHARTS_CLIENT_ID", "SOUNDCHARTS_CLIENT_SECRET", "SOUNDCHARTS_TEAM_ID"):
        os.environ.pop(name, None)


def has_credentials(environment: Environment) -> bool:
    """Whether a pair of either kind is set."""
    pair = environment.app_id and environment.api_key
    return bool(pair or (environment.client_id and environment.client_secret))


def unread_env_file() -> str:
    """What to tell somebody who lacks credentials, within a sentence; empty where no such file could hold them."""
    return " (.env is read by a shell alone: `set -a; . ./.env; set +a`)" if Path(".env").exists() else ""
