"""The project as Dagster loads it: with nothing set, without a warning, and with the names that users rely on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

import soundcharts_pipeline
from soundcharts_pipeline.config.cascade import CHART_REPORT
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.embedding.build import build_definitions
from soundcharts_pipeline_tests.support.helpers import small_chart

FOLDER = Path(soundcharts_pipeline.__file__).parent
SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "definitions.txt"

# Imports our modules one by one while it watches: none may touch the network, a process, a file or the environment.
# What a library reads of the environment when its objects are made is the library's own.
WATCH = """
import importlib, os, sys
import dagster, pandas, requests, sqlalchemy, alembic, typer, rich.progress, ruamel.yaml, tenacity, dagster_graphql

names = sys.argv[1:]
asked = []


class Watched(dict):
    def __getitem__(self, name):
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] in ("os", "collections.abc"):
            frame = frame.f_back
        if frame.f_globals["__name__"].startswith("soundcharts_pipeline"):
            asked.append(f"{frame.f_globals['__name__']} reads the environment: {name}")
        return super().__getitem__(name)


os.environ._data = Watched(os.environ._data)


def hook(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.fork", "os.mkdir", "sqlite3.")):
        asked.append(f"{event} {arguments}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        asked.append(f"writes {arguments[0]}")


sys.dont_write_bytecode = True
sys.addaudithook(hook)
for name in names:
    importlib.import_module(name)
print("\\n".join(asked))
"""


def _nothing_set() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["dg", "check", "defs"], "All definitions loaded successfully"),
        (["dagster", "schedule", "list", "-w", "workspace.yaml"], "sync_global_28"),
    ],
)
def test_the_project_is_found_with_an_empty_environment(command: list[str], said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name(command[0]), *command[1:]],
        cwd=FOLDER.parent,
        env=_nothing_set() | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert "Warning" not in done.stderr


def test_loading_the_project_prints_nothing() -> None:
    # Dagster's command keeps warnings to itself; a code server would print one for each asset.
    done = subprocess.run(
        [sys.executable, "-c", "import soundcharts_pipeline.definitions"],
        cwd=FOLDER.parent,
        env=_nothing_set(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_happens_when_a_module_is_imported() -> None:
    names = (
        ".".join(("soundcharts_pipeline", *path.relative_to(FOLDER).with_suffix("").parts))
        for path in sorted(FOLDER.rglob("*.py"))
    )
    # Definitions are what Dagster loads; the environment of migrations runs inside Alembic alone.
    modules = [name for name in names if not name.endswith((".definitions", ".__main__", "migrations.env"))]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *modules], cwd=FOLDER.parent, env=_nothing_set(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """Two charts, of which one is off and asks for a platform of its own."""
    daily = small_chart("viral-50-global", schedule="0 2 * * *")
    weekly = small_chart(
        "tiktok-weekly-songs",
        active=False,
        schedule="0 6 * * 1",
        timezone="Europe/Paris",
        track_audience_platforms=("shazam",),
        artist_audience_platforms=("youtube",),
    )
    return build_definitions(Settings({chart.slug: chart for chart in (daily, weekly)}))


def _described(definitions: dg.Definitions) -> Iterator[str]:
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        yield f"asset {key.to_user_string()}"
        yield f"    group {node.group_name}; owners {', '.join(sorted(node.owners))}"
        yield f"    kinds {', '.join(sorted(node.kinds)) or 'none'}"
        partitions = node.partitions_def
        names = partitions.partition_dimension_names if isinstance(partitions, dg.MultiPartitionsDefinition) else ()
        yield f"    partitions {' x '.join(names) or 'none'}"
        policy = node.backfill_policy.policy_type.value if node.backfill_policy else "none"
        yield f"    backfill {policy}; freshness {'yes' if node.freshness_policy else 'no'}"
        if node.code_version:
            yield f"    code version {node.code_version}"
        yield f"    below {', '.join(sorted(parent.to_user_string() for parent in node.parent_keys)) or 'nothing'}"
        checks = sorted(check.name for check in graph.get_check_keys_for_assets({key}))
        yield f"    checks {', '.join(checks) or 'none'}"
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            selected = sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
            yield f"job {job.name}: {', '.join(selected)}"
    for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name):
        cron, zone = schedule.cron_schedule, schedule.execution_timezone
        yield f"schedule {schedule.name}: {cron} {zone}, {schedule.default_status.value}, job {schedule.job_name}"
    for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name):
        every = sensor.minimum_interval_seconds
        target = sensor.job_name if sensor.targets else "none"
        yield f"sensor {sensor.name}: every {every} s, {sensor.default_status.value}, job {target}"


def test_names_are_those_that_users_rely_on(definitions: dg.Definitions) -> None:
    """After a change that is meant: write `_described` to the snapshot and review its diff."""
    assert "\n".join(_described(definitions)) + "\n" == SNAPSHOT.read_text()


def test_every_asset_says_what_one_row_is_and_which_team_owns_it(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert (node.description or "").startswith("One row is one "), key
        assert node.owners, key
        if node.is_partitioned and key != dg.AssetKey(CHART_REPORT):
            assert {"dagster/table_name", "dagster/column_schema", "dagster/column_lineage"} <= node.metadata.keys()


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        ("kind:spotify", {"track_audience/spotify", "artist_audience/spotify"}),
        ("group:analytics", {"audience_trends", "chart_report"}),
        ('kind:soundcharts and group:"charts"', {"chart_rankings"}),
    ],
)
def test_assets_are_selected_as_the_documentation_says(
    definitions: dg.Definitions, selection: str, keys: set[str]
) -> None:
    graph = definitions.resolve_asset_graph()
    assert {key.to_user_string() for key in dg.AssetSelection.from_string(selection).resolve(graph)} == keys


def test_every_slug_that_charts_yaml_takes_has_a_schedule_of_its_own() -> None:
    slugs = [
        "top-10",
        "top_10",
        "top-são-paulo",
        "top-s_o-paulo",
        "top.10",
        "日本-100",
        "1",
        "Ünal",
        "x" * 150,
        "top-10_4",
    ]
    charts = {slug: small_chart(slug) for slug in slugs}
    schedules = build_definitions(Settings(charts)).get_repository_def().schedule_defs
    assert sorted(slug for one in schedules if (slug := one.tags.get("soundcharts/chart"))) == sorted(slugs)


@pytest.mark.parametrize(
    ("most", "policy"), [(None, dg.BackfillPolicy.single_run()), (2, dg.BackfillPolicy.multi_run(2))]
)
def test_a_backfill_makes_runs_as_long_as_the_charts_file_allows(most: int | None, policy: dg.BackfillPolicy) -> None:
    chart = small_chart()
    definitions = build_definitions(Settings({chart.slug: chart}, max_partitions_per_run=most))
    partitioned = [spec for spec in definitions.resolve_all_asset_specs() if spec.partitions_def]
    graph = definitions.resolve_asset_graph()
    assert {graph.get(spec.key).backfill_policy for spec in partitioned} == {policy}
