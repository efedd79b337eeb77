"""What a run loads in the end, loaded at once: for a process from which runs are forked.

None of it may open a file or a connection or start a thread, for these outlive no fork.
"""

import gc
from importlib import import_module

for name in (
    "dagster._grpc.impl",
    "soundcharts_pipeline.embedding.build",
    "soundcharts_pipeline.analysis.trends",
    "soundcharts_pipeline.reports.pictures.curves",
    "soundcharts_pipeline.reports.workbook.workbook",
):
    import_module(name)
# Otherwise every run looks through all of it for garbage, for a tenth of a second, and has a copy for itself then.
gc.freeze()
