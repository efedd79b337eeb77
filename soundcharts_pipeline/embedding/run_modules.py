"""What a run loads in the end, loaded at once: for the process from which runs are forked, and for no other.

None of it may open a file or a connection or start a thread, for these outlive no fork.
"""

import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module

# Whoever ends a whole group of processes means the runs, which save first what they have paid for. Their origin ends
# after the last of them, and by its end the code server would take them for dead.
if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))

for name in (
    "dagster._core.secrets.env_file",
    "dagster._grpc.impl",
    "psycopg2",
    "upath.core",
    "soundcharts_pipeline.embedding.build",
    "soundcharts_pipeline.analysis.trends",
    "soundcharts_pipeline.reports.workbook.workbook",
):
    # A run meets what is wrong with it by itself, and tells.
    with suppress(Exception):
        import_module(name)
# Otherwise every run looks through all of it for garbage, for a tenth of a second, and has a copy for itself then.
gc.freeze()
