"""Runs that a code server starts are forked from a process which has loaded what they need.

By itself it starts a fresh interpreter for each, which takes two seconds of a core to load Dagster, our code and its
libraries, as much as the rest of a run that asks nothing (docs/decisions/0032-runs-are-forked.md).
"""

import multiprocessing
import os
import sys


def fork_runs() -> None:
    """From now on, when this process is a code server; otherwise nothing happens. Each of its successors, which load
    changed code, forks from a process of its own; charts.yaml is read by every run."""
    module = sys.modules.get("dagster._grpc.server")
    if module is None or sys.platform != "linux":
        return
    # numpy's library for matrices begins threads while it is loaded; none here is large enough for them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["soundcharts_pipeline.embedding.run_modules"])
    # Every server sets it to `spawn` before it loads any code, and Dagster has no setting for it.
    setattr(module.DagsterApiServer, "_mp_ctx", property(lambda *_: context, lambda *_: None))  # noqa: B010
