"""The charts as a component: what a project writes into a `defs.yaml` to have them beside its own assets."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from dagster.components.component_scaffolding import scaffold_component

from soundcharts_pipeline.config.environment import PROJECT_FILES, read_environment
from soundcharts_pipeline.config.read_charts import examine
from soundcharts_pipeline.config.settings import Settings, SettingsError
from soundcharts_pipeline.embedding.build import build_definitions

CHARTS_FILE = "charts.yaml"


class ChartsScaffolder(dg.Scaffolder[Any]):
    """Writes a component that is complete: its `defs.yaml`, and a charts file beside it with charts to start from."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Files of the component in its folder; a charts file that is there stays."""
        scaffold_component(request, {"charts_file": CHARTS_FILE})
        charts = request.target_path / CHARTS_FILE
        if not charts.exists():
            shutil.copyfile(PROJECT_FILES / CHARTS_FILE, charts)


@dg.scaffold_with(ChartsScaffolder)
class SoundchartsComponent(dg.Component, dg.Model, dg.Resolvable):
    """Soundcharts charts, tracks, artists and audience series, complete and current in a database.

    The charts stand in a file of their own (`charts_file`, which starts at the folder of `defs.yaml`), or right here
    under the keys of that file. Credentials and all else are environment variables.
    """

    charts_file: Annotated[
        str | None, dg.Resolver.default(description="path of the charts file; starts at the folder of defs.yaml")
    ] = None
    charts: Annotated[
        list[dict[str, Any]] | None,
        dg.Resolver.default(description="instead of the file: the charts, each with its slug"),
    ] = None
    defaults: Annotated[
        dict[str, Any] | None, dg.Resolver.default(description="instead of the file: what holds for every chart")
    ] = None
    endpoints: Annotated[
        dict[str, str] | None, dg.Resolver.default(description="paths that replace the built-in ones, by name")
    ] = None
    max_partitions_per_run: Annotated[
        int | None, dg.Resolver.default(description="the most days of a chart that one run takes")
    ] = None
    operations: Annotated[
        dict[str, Any] | None, dg.Resolver.default(description="archive, backups, and their schedules")
    ] = None
    database_url_variable: Annotated[
        str | None, dg.Resolver.default(description="name of the variable that holds the database's URL")
    ] = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Everything for these charts. Raises SettingsError for mistakes in them or in the environment."""
        folder = context.path if context.path.is_dir() else context.path.parent
        name = self.database_url_variable
        return build_definitions(self._charts(folder), database_url=None if name is None else dg.EnvVar(name))

    def _charts(self, folder: Path) -> Settings | Path:
        written = self.model_dump(exclude_none=True, exclude={"charts_file", "database_url_variable"})
        if self.charts_file is None:
            return _settings(written, source=folder)
        if written:
            raise SettingsError(
                f"{folder}: charts_file and {', '.join(written)} exclude each other; remove one of them"
            )
        return folder / self.charts_file


def _settings(written: Mapping[str, Any], *, source: Path) -> Settings:
    """The charts of a component's own attributes, checked as a charts file is."""
    # JSON is YAML, of one line here: which one a mistake stands on is not known.
    text = json.dumps(written, default=str, ensure_ascii=False)
    settings, mistakes = examine(text, read_environment(os.environ).clock)
    if mistakes:
        raise SettingsError("\n".join(f"{source}: {mistake}" for mistake in mistakes))
    return settings
