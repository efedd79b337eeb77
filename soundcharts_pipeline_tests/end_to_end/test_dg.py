"""Dagster's own command as the documentation gives it: in the project's folder, which pyproject.toml tells it of."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partitions import keys_of, partition_key, range_tags
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables.schema import chart_rankings
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.command_line import CHARTS
from soundcharts_pipeline_tests.support.dagster_site import (
    PROGRAMS,
    PROJECT,
    Site,
    alive,
    ask,
    open_site,
    wait_until,
    web_server,
)

SLUG, PLACES = "viral-50-global", 50
SPAN = ChartDays(SLUG, date(2026, 1, 1), date(2026, 1, 3))
LATER = date(2026, 1, 4)
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { healthy } } } }"
FRESHNESS = """{ assetNodeOrError(assetKey: {path: ["chart_rankings"]}) {
    ... on AssetNode { freshnessStatusInfo { freshnessStatus } } } }"""


@pytest.fixture
def site(simulator: Simulator, environ: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    with open_site(simulator, environ, tmp_path, CHARTS) as site:
        yield site


def test_dg_lists_launches_and_serves(site: Site) -> None:
    listed = json.loads(_dg(site, "list", "defs", "--json"))
    keys = {one["asset_key"] for one in listed["assets"]}
    assert {"chart_rankings", "track_audience/spotify", "chart_report"} <= keys
    assert {"chart_sync", "cascade", "full_sync"} <= {one["name"] for one in listed["jobs"]}

    first, last = range_tags(SPAN).values()
    _dg(site, "launch", "--assets", "key:chart_rankings", "--partition-range", f"{first}...{last}")
    assert site.instance.get_materialized_partitions(asset_key("chart_rankings")) == set(keys_of(SPAN))
    assert _rows(site) == dict.fromkeys(SPAN.days, PLACES)

    _dg(site, "launch", "--job", "chart_sync", "--partition", partition_key(SLUG, LATER))
    assert _rows(site) == dict.fromkeys([*SPAN.days, LATER], PLACES)
    assert site.instance.get_materialized_partitions(asset_key("track_metadata")) == {partition_key(SLUG, LATER)}

    with web_server(site, "dg", "dev") as url:
        entry = {"name": "soundcharts_pipeline", "loadStatus": "LOADED"}
        wait_until(site, "code", lambda: ask(url, LOCATIONS)["workspaceOrError"]["locationEntries"] == [entry])
        wait_until(site, "daemon", lambda: _all_healthy(url))
        wait_until(site, "look at the freshness of what was launched", lambda: _freshness(url) == "HEALTHY")
    assert alive(site) == []
    assert "Warning" not in site.log.read_text()


def _all_healthy(url: str) -> bool:
    statuses = ask(url, DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    return bool(statuses) and all(status["healthy"] for status in statuses)


def _freshness(url: str) -> object:
    return ask(url, FRESHNESS)["assetNodeOrError"]["freshnessStatusInfo"]["freshnessStatus"]


def _dg(site: Site, *arguments: str) -> str:
    """What it prints; fails unless it comes to a good end, without a warning."""
    done = subprocess.run([PROGRAMS / "dg", *arguments], cwd=PROJECT, env=site.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def _rows(site: Site) -> dict[date, int]:
    rows = chart_rankings.c
    counted = select(rows.rank_date, func.count()).where(rows.chart_slug == SLUG).group_by(rows.rank_date)
    with closing(Warehouse(read_environment(site.environ).database_url)) as warehouse, warehouse.read() as conn:
        return {row[0]: row[1] for row in conn.execute(counted)}
