"""The catalog: every chart that Soundcharts has, into `charts`."""

from collections.abc import Iterator

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.models import Chart
from soundcharts_pipeline.storage.saves import save_charts
from soundcharts_pipeline.sync.context import SyncContext


def sync_catalog(ctx: SyncContext) -> dict[str, int]:
    """Save every available chart; returns how many each platform has.

    Costs one call for the list of platforms and one per 100 charts of each. A platform is saved as soon as it has
    answered, so a sync that fails leaves those before it.
    """
    return {platform: len(charts) for platform, charts in each_platform(ctx)}


def each_platform(ctx: SyncContext) -> Iterator[tuple[str, list[Chart]]]:
    """Each platform with its charts, once they are saved; the calls are `sync_catalog`'s."""
    platforms = ctx.client.chart_platforms()
    for done, platform in enumerate(platforms, 1):
        try:
            charts = ctx.client.charts(platform)
        except NotFound:
            # Listed, and without charts of tracks.
            charts = []
        with ctx.warehouse.write() as conn:
            save_charts(conn, charts)
            ctx.keep_books(conn, done, len(platforms))
        yield platform, charts
