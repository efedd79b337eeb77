"""The catalog: every chart that Soundcharts has, into `charts`."""

from collections.abc import Iterator

from soundcharts_pipeline.api.errors import NotFound, NotInPlan
from soundcharts_pipeline.api.remarks import NOT_IN_PLAN
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
    """Each platform with its charts, once they are saved; the calls are `sync_catalog`'s. One that is refused to the
    plan has none, and a remark says so. Raises NotInPlan when all are."""
    platforms = ctx.client.chart_platforms()
    refused: list[NotInPlan] = []
    for done, platform in enumerate(platforms, 1):
        charts: list[Chart] = []
        try:
            charts = ctx.client.charts(platform)
        except NotFound:
            pass  # listed, and without charts of tracks
        except NotInPlan as error:
            refused.append(error)
            if len(refused) == len(platforms):
                raise
            ctx.client.remarks.add("charts", "", "platform", platform, NOT_IN_PLAN)
        with ctx.warehouse.write() as conn:
            save_charts(conn, charts)
            ctx.keep_books(conn, done, len(platforms))
        yield platform, charts
