"""What the catalog costs a slug that is misspelt: it is asked for the nearest ones, once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.simulator.world.chart_list import PLATFORM_NAMES
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.catalog import sync_catalog
from soundcharts_pipeline.sync.chart_search import search_charts, take_chart
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.ranking_list import UnknownChart
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import new_context, small_chart
from soundcharts_pipeline_tests.support.today import TODAY, noon

NOWHERE_NEAR = "qqq-wwwwww"
PLATFORMS = sorted(PLATFORM_NAMES)
Answer = Callable[[str, int, Any], tuple[int, Any]]


def _refusing(*parts: str, status: int) -> Answer:
    """A server that refuses what has one of these in its path."""

    def change(path: str, true_status: int, body: Any) -> tuple[int, Any]:
        if any(part in path for part in parts):
            return status, {"errors": [{"key": "access", "code": status, "message": "No."}]}
        return true_status, body

    return change


def _without(part: str) -> Answer:
    """A server that has nothing of what has this in its path."""

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if status == 200 and part in path:
            return 200, {**body, "items": [], "page": {**body["page"], "total": 0, "next": None}}
        return status, body

    return change


SERVERS: dict[str, Answer] = {
    "as it is": _refusing(status=200),
    "without charts": _without("/by-platform/"),
    "without platforms": _without("/chart/song/platforms"),
    "a platform not in the plan": _refusing("/by-platform/spotify", status=403),
    "no platform in the plan": _refusing("/by-platform/", status=403),
    "a platform without charts of tracks": _refusing("/by-platform/tiktok", status=404),
}


def _synced(ctx: SyncContext, _: Path) -> None:
    with pytest.raises(UnknownChart):
        sync_rankings(ctx, small_chart(NOWHERE_NEAR), [TODAY])


def _added(ctx: SyncContext, folder: Path) -> None:
    with pytest.raises(BadUse, match="no chart"):
        take_chart(ctx, folder / "charts.yaml", NOWHERE_NEAR)


WAYS: dict[str, Callable[[SyncContext, Path], None]] = {"synced": _synced, "added": _added}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("way", WAYS)
def test_a_slug_that_nothing_resembles_is_looked_up_in_the_catalog_once(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path, way: str, server: str
) -> None:
    (tmp_path / "charts.yaml").write_text("charts: [{slug: global-28}]\n")
    calls = []
    with altered(simulator.url, SERVERS[server]) as url:
        for days_later in (0, 0, 40):
            now = noon(simulator.world.today) + timedelta(days=days_later)
            ctx = new_context(simulator, warehouse, url=url, now=now)
            WAYS[way](ctx, tmp_path)
            calls.append(ctx.client.usage.calls)
    assert calls[0] > 1
    assert calls[1:] == [1, 1]


@pytest.mark.parametrize("reader", [sync_catalog, lambda ctx: search_charts(ctx, [], platform=None, country=None)])
def test_a_catalog_that_was_read_for_another_reason_is_not_read_for_a_slug(
    simulator: Simulator, warehouse: Warehouse, reader: Callable[[SyncContext], object], tmp_path: Path
) -> None:
    reader(new_context(simulator, warehouse))
    ctx = new_context(simulator, warehouse)
    _synced(ctx, tmp_path)
    assert ctx.client.usage.calls == 1


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_what_a_refused_page_left_of_the_catalog_is_asked_for_a_day_later_and_no_platform_twice(
    simulator: Simulator, warehouse: Warehouse, status: int
) -> None:
    third, asked = PLATFORMS[2], list[str]()
    refuse = _refusing(f"/by-platform/{third}?offset=100", status=status)

    def change(path: str, true_status: int, body: Any) -> tuple[int, Any]:
        asked.append(path)
        if f"/by-platform/{third}" in path and true_status == 200:
            # A second page, which is refused.
            body = {**body, "page": {**body["page"], "total": 150, "next": f"{path.partition('?')[0]}?offset=100"}}
        return refuse(path, true_status, body)

    def ask(now: datetime, url: str) -> list[str]:
        asked.clear()
        with pytest.raises(SoundchartsError):
            sync_rankings(new_context(simulator, warehouse, url=url, now=now), small_chart(NOWHERE_NEAR), [TODAY])
        return [path for path in asked if "/by-platform/" in path or "/platforms" in path]

    now = noon(simulator.world.today)
    with altered(simulator.url, change) as url:
        first, again = ask(now, url), ask(now + timedelta(hours=23), url)
    assert [p for p in PLATFORMS if any(p in path for path in first)] == PLATFORMS[:3]
    assert again == []
    with altered(simulator.url, _noting(asked)) as url:
        later, last = ask(now + timedelta(hours=25), url), ask(now + timedelta(days=9), url)
    assert [p for p in PLATFORMS if any(f"/by-platform/{p}?" in path for path in later)] == PLATFORMS[2:]
    assert last == []
    with warehouse.read() as conn:
        assert conn.scalar(select(func.count()).select_from(s.charts)) == len(simulator.world.plans)


def _noting(asked: list[str]) -> Answer:
    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        asked.append(path)
        return status, body

    return change
