"""The process that a code server's runs are forked from: what happens when it cannot be had, or is gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# As a code server: Dagster's is loaded, and takes what our code puts there. Prints what it found.
CODE_SERVER = """
import json, os, signal, time
from multiprocessing import connection, forkserver

from dagster._grpc import server
from soundcharts_pipeline.embedding.warm_runs import fork_runs

DEADLINE = time.monotonic() + 120


def begin(context):
    told = context.Queue()
    run = context.Process(target=told.put, args=["begun"])
    run.start()
    said = told.get(timeout=120)
    run.join()
    return [said, run.exitcode]


def outlive(context):
    end = context.Event()
    run = context.Process(target=end.wait)
    run.start()
    origin = forkserver._forkserver._forkserver_pid
    os.kill(origin, signal.SIGTERM)
    found = [begin(context), forkserver._forkserver._forkserver_pid == origin]
    os.kill(origin, signal.SIGKILL)
    connection.wait([run.sentinel])
    found += [run.exitcode, run.is_alive()]
    end.set()
    while run.is_alive() and time.monotonic() < DEADLINE:
        pass
    return [*found, run.is_alive(), begin(context)]


if __name__ == "__main__":
    fork_runs()
    context = server.DagsterApiServer._mp_ctx.fget(None)
    print(json.dumps({"begin": begin, "outlive": outlive}[os.environ["DOES"]](context)))
"""


def _found(tmp_path: Path, does: str, **environ: str) -> object:
    script = tmp_path / "server.py"
    script.write_text(CODE_SERVER)
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "DOES": does, **environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "environ", [{}, {"TMPDIR": "long"}, {"MPLBACKEND": "nowhere"}], ids=["well", "no place for a socket", "not loaded"]
)
def test_a_run_begins_whatever_the_origin_meets(tmp_path: Path, environ: dict[str, str]) -> None:
    if "TMPDIR" in environ:
        environ = {"TMPDIR": str(tmp_path / ("long" * 30))}
        Path(environ["TMPDIR"]).mkdir()
    assert _found(tmp_path, "begin", **environ) == ["begun", 0]


def test_a_run_outlives_its_origin_and_another_begins(tmp_path: Path) -> None:
    begun = ["begun", 0]
    # Told to end, the origin stays for those that are at work. Killed, it leaves them without a word of their end.
    assert _found(tmp_path, "outlive") == [begun, True, 255, True, False, begun]
