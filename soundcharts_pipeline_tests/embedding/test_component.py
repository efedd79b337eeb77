"""The component as a project writes it: with a charts file, with the charts themselves, and with mistakes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.testing import DefsFolderSandbox, create_defs_folder_sandbox

from soundcharts_pipeline.embedding import SoundchartsComponent
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.installed import CHECKOUT

CHARTS = [{"slug": SLUG, "schedule": "0 4 * * *", "first_date": date(2026, 10, 1)}]


@pytest.fixture
def sandbox() -> Iterator[DefsFolderSandbox]:
    """A project of Dagster's without anything in it."""
    with create_defs_folder_sandbox() as sandbox:
        yield sandbox


@contextmanager
def _built(sandbox: DefsFolderSandbox, attributes: dict[str, Any], **files: str) -> Iterator[dg.Definitions]:
    """What a component with these attributes makes, beside files of these names."""
    name = f"soundcharts_pipeline.embedding.{SoundchartsComponent.__name__}"
    contents = {"type": name, "attributes": attributes}
    folder = sandbox.scaffold_component(SoundchartsComponent, "music", defs_yaml_contents=contents)
    for file, text in files.items():
        (folder / f"{file}.yaml").write_text(text)
    with sandbox.load_component_and_build_defs(folder) as (_, definitions):
        yield definitions


def _crons(definitions: dg.Definitions) -> dict[str, str]:
    """When each chart is synced."""
    schedules = definitions.get_repository_def().schedule_defs
    return {s.tags["soundcharts/chart"]: str(s.cron_schedule) for s in schedules if "soundcharts/chart" in s.tags}


def test_a_new_component_has_charts_to_start_from(sandbox: DefsFolderSandbox) -> None:
    folder = sandbox.scaffold_component(SoundchartsComponent, "music")

    assert (folder / "charts.yaml").read_text() == (CHECKOUT / "charts.yaml").read_text()
    with sandbox.load_component_and_build_defs(folder) as (component, definitions):
        assert component == SoundchartsComponent(charts_file="charts.yaml")
        assert _crons(definitions)["tiktok-weekly-songs"] == "0 6 * * 1"


def test_a_charts_file_that_is_there_stays(sandbox: DefsFolderSandbox) -> None:
    charts = sandbox.defs_folder_path / "music" / "charts.yaml"
    charts.parent.mkdir()
    charts.write_text("charts: # mine\n")
    sandbox.scaffold_component(SoundchartsComponent, "music")
    assert charts.read_text() == "charts: # mine\n"


def test_the_charts_file_starts_at_the_folder_of_the_component(sandbox: DefsFolderSandbox) -> None:
    with _built(sandbox, {"charts_file": "ours.yaml"}, ours=f"charts: [{{slug: {SLUG}}}]\n") as definitions:
        assert _crons(definitions) == {SLUG: "0 2 * * *"}


def test_the_keys_of_the_file_may_stand_in_the_component(sandbox: DefsFolderSandbox) -> None:
    defaults = {"track_audience_platforms": ["shazam"]}
    attributes = {"defaults": defaults, "charts": CHARTS, "operations": {"backup_schedule": "0 1 * * *"}}
    with _built(sandbox, attributes) as definitions:
        assert _crons(definitions) == {SLUG: "0 4 * * *"}
        assert dg.AssetKey(["track_audience", "shazam"]) in definitions.resolve_asset_graph().get_all_asset_keys()
        schedule = definitions.get_repository_def().get_schedule_def("database_backup_schedule")
        assert schedule.cron_schedule == "0 1 * * *"


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a key of a chart": ({"charts": [{"slug": SLUG, "shedule": "hourly"}]}, "unknown key 'shedule' in a chart; write"),
    "no chart": ({"defaults": {"active": True}}, "there are no charts; write"),
    "both": ({"charts_file": "charts.yaml", "charts": CHARTS}, "charts_file and charts exclude each other; remove"),
    "an attribute": ({"chart_file": "charts.yaml"}, "chart_file"),
    "a value": ({"charts_file": ["charts.yaml"]}, "charts_file"),
    "no such file": ({"charts_file": "none.yaml"}, "none.yaml: there is no such file"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_where_it_is_and_with_its_remedy(sandbox: DefsFolderSandbox, mistake: str) -> None:
    attributes, words = MISTAKES[mistake]
    with pytest.raises(Exception, match="music") as caught, _built(sandbox, attributes):
        pass
    causes: list[BaseException] = [caught.value]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    assert words in "\n".join(map(str, causes))


def test_the_database_is_named_by_its_variable(
    sandbox: DefsFolderSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE", f"sqlite:///{tmp_path}/music.db")
    with (
        _built(sandbox, {"charts": CHARTS, "database_url_variable": "WAREHOUSE"}) as definitions,
        dg.build_resources(definitions.resources or {}) as built,
    ):
        assert built.database.warehouse.url.database == f"{tmp_path}/music.db"
