"""The composition root: settings, assets, jobs, schedules, sensors and resources become definitions for Dagster.

`build.py` puts them together, `component.py` makes them a component that another project configures in YAML.
`definitions.py`, beside this room, is our own project, whose runs are forked (`warm_runs.py`). A new asset, job or
sensor gets its line in `build.py`. Nothing here may take hold of what a project has beside ours: jobs name their assets
and their executor. docs/embedding.md tells users.
"""

from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline.embedding.component import SoundchartsComponent

__all__ = ["SoundchartsComponent", "build_definitions"]
