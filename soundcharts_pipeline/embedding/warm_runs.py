"""Runs that a code server starts are forked from a process that has loaded what they need.

By itself it starts a fresh interpreter for each, which takes two seconds of a core to load Dagster, our code and its
libraries, as much as the rest of a run that asks nothing (docs/decisions/0032-runs-are-forked.md).
"""

import os
import sys
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnProcess
from typing import Any

from soundcharts_pipeline.storage.processes import is_alive

# What `multiprocessing` says of a process whose origin is gone, dead or not.
UNKNOWN_END = 255


class RunProcess(ForkServerProcess):
    """A run's process. Where none can be forked (no place for a socket in the temporary folder, an origin that does not
    come up) it is started as Dagster does."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802  # multiprocessing's name
        try:
            return ForkServerProcess._Popen(process_obj)
        except (OSError, EOFError):
            return SpawnProcess._Popen(process_obj)

    def is_alive(self) -> bool:
        """Also of a run that has outlived its origin, which would have told of its end."""
        return super().is_alive() or (self.exitcode == UNKNOWN_END and self.pid is not None and is_alive(self.pid))


class _Context(ForkServerContext):
    Process = RunProcess


def fork_runs() -> None:
    """From now on, when this process is a code server; otherwise nothing happens. Each of its successors, which load
    changed code, forks from a process of its own; charts.yaml is read by every run."""
    module = sys.modules.get("dagster._grpc.server")
    if module is None or sys.platform != "linux":
        return
    # numpy's library for matrices begins threads while it is loaded; none here is large enough for them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = _Context()
    context.set_forkserver_preload(["soundcharts_pipeline.embedding.run_modules"])
    # Every server sets it to `spawn` before it loads any code, and Dagster has no setting for it.
    setattr(module.DagsterApiServer, "_mp_ctx", property(lambda *_: context, lambda *_: None))  # noqa: B010
