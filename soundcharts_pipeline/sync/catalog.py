"""The catalog: every chart that Soundcharts has, into `charts`."""

from collections.abc import Iterator

from soundcharts_pipeline.api.errors import NotFound, NotInPlan
from soundcharts_pipeline.api.remarks import NOT_IN_PLAN
from soundcharts_pipeline.models import Chart
from soundcharts_pipeline.storage import catalog_reads
from soundcharts_pipeline.storage.saves import save_charts
from soundcharts_pipeline.sync.context import SyncContext


def sync_catalog(ctx: SyncContext) -> dict[str, int]:
    """Save every available chart; returns how many each platform has.

    Costs one call for the list of platforms and one per 100 charts of each. A platform is saved as soon as it has
    answered, so a sync that fails leaves those before it.
    """
    return {platform: len(charts) for platform, charts in each_platform(ctx)}


def fill_catalog(ctx: SyncContext) -> None:
    """Ask for the platforms whose charts were never read; no call once all were. A try that failed is made again a day
    later at the earliest, by one process alone: a misspelt slug comes here at every tick of its schedule.
    """
    with ctx.warehouse.read() as conn:
        if catalog_reads.is_whole(conn):
            return
    now = ctx.clock()
    # Before the calls: others who would make the same ones see that somebody does.
    if ctx.save(lambda conn: catalog_reads.begin_try(conn, now)):
        for _ in each_platform(ctx, known=False):
            pass


def each_platform(ctx: SyncContext, *, known: bool = True) -> Iterator[tuple[str, list[Chart]]]:
    """Each platform with its charts, once they are saved; the calls are `sync_catalog`'s. One that is refused to the
    plan has none, and a remark says so. Raises NotInPlan when all are. Without `known`, those that were never read."""
    platforms = ctx.client.chart_platforms()
    with ctx.warehouse.read() as conn:
        read = catalog_reads.platforms_read(conn)
    refused: list[NotInPlan] = []
    for done, platform in enumerate(platforms, 1):
        if platform in read and not known:
            continue
        charts: list[Chart] = []
        try:
            charts = ctx.client.charts(platform)
        except NotFound:
            pass  # listed, and without charts of tracks
        except NotInPlan as error:
            refused.append(error)
            ctx.client.remarks.add("charts", "", "platform", platform, NOT_IN_PLAN)
        with ctx.warehouse.write() as conn:
            save_charts(conn, charts)
            catalog_reads.note_platform(conn, platform, len(charts), ctx.clock())
            ctx.keep_books(conn, done, len(platforms))
        yield platform, charts
    ctx.save(lambda conn: catalog_reads.note_whole(conn, ctx.clock()))
    if refused and len(refused) == len(platforms):
        raise refused[-1]
