"""What Dagster loads when the charts are a project of their own: `soundcharts_pipeline.definitions:defs`."""

import dagster as dg

from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.embedding.warm_runs import fork_runs

# Materialisations from the UI that name no job wait for calls as ours do; a process for each step would cost 2 s.
defs = dg.Definitions.merge(build_definitions(), dg.Definitions(executor=dg.in_process_executor))

fork_runs()
