"""Servers that refuse everybody, or have nothing for anybody, and the steps that ask them."""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import select

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.audience import sync_artist_audience, sync_track_audience
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.metadata import sync_artist_metadata, sync_track_metadata
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.report import SyncReport
from soundcharts_pipeline_tests.support.helpers import small_chart

CHART = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=("spotify", "instagram"))
# The parts of paths that tell what is asked, and the step that asks it.
STEPS: dict[str, Callable[[SyncContext, ChartSettings, list[date]], SyncReport]] = {
    "/api/v2.25/song/": sync_track_metadata,
    "/api/v2.9/artist/": sync_artist_metadata,
    "/audience/spotify": lambda ctx, chart, days: sync_track_audience(ctx, chart, days, "spotify"),
    "/broadcasts": lambda ctx, chart, days: sync_track_audience(ctx, chart, days, "airplay"),
    "/streaming/spotify": lambda ctx, chart, days: sync_artist_audience(ctx, chart, days, "spotify"),
    "/social/instagram": lambda ctx, chart, days: sync_artist_audience(ctx, chart, days, "instagram"),
}
REFUSALS = [(404, "Not found."), (403, "Not in your plan."), (410, "Gone"), (404, "Artist not found.")]


def refusing(
    part: str, status: int, message: str, refused: list[str] | None = None
) -> Callable[[str, int, Any], tuple[int, Any]]:
    """A server that refuses all that has this in its path, and notes it."""

    def change(path: str, true_status: int, body: Any) -> tuple[int, Any]:
        if part in path:
            if refused is not None:
                refused.append(path)
            return status, {"errors": [{"key": "access", "code": status, "message": message}]}
        return true_status, body

    return change


def until(part: str, ctx: SyncContext, days: list[date]) -> None:
    """Everything that the step of this path needs."""
    sync_rankings(ctx, CHART, days)
    if part != "/api/v2.25/song/":
        sync_track_metadata(ctx, CHART, days)
        if "artist" not in part:
            sync_artist_metadata(ctx, CHART, days)


def notes(warehouse: Warehouse) -> tuple[int, int]:
    """How many tombstones and answered windows there are."""
    with warehouse.read() as conn:
        return len(conn.execute(select(b.tombstones)).all()), len(conn.execute(select(b.audience_asks)).all())


def empty(path: str, status: int, body: Any) -> tuple[int, Any]:
    """A server whose series hold nothing for anybody."""
    if status == 200 and any(part in path for part in ("/audience/", "/streaming/", "/social/", "/broadcasts")):
        return 200, {**body, "items": [], "page": {**body["page"], "total": 0, "next": None}}
    return status, body
