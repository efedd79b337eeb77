"""Find charts in the live catalog, and take them into charts.yaml."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.config.edit_charts import add_chart, check_addable
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.models import Chart
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.saves import save_charts
from soundcharts_pipeline.sync.catalog import each_platform
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.ranking_list import nearest_charts
from soundcharts_pipeline.wording import folded, program, write_nearest


def search_charts(ctx: SyncContext, words: Sequence[str], *, platform: str | None, country: str | None) -> list[Chart]:
    """Charts whose name, slug, country or city holds every word. One call per 100 charts of the platforms asked, one
    more for the list of platforms when none is named; what comes is saved. Raises BadUse for an unknown platform, and
    NotInPlan for one, or for all, that the plan does not hold."""
    if platform is None:
        every = [chart for _, charts in each_platform(ctx) for chart in charts]
        return matching(every, words, platform=None, country=country)
    try:
        charts = ctx.client.charts(platform)
    except NotFound:
        remedy = write_nearest(platform, ctx.client.chart_platforms())
        raise BadUse(f"Soundcharts has no charts of the platform '{platform}'; {remedy}") from None
    with ctx.warehouse.write() as conn:
        save_charts(conn, charts)
        ctx.keep_usage(conn)
    return matching(charts, words, platform=None, country=country)


def search_saved(ctx: SyncContext, words: Sequence[str], *, platform: str | None, country: str | None) -> list[Chart]:
    """The same among the charts that are saved (`chart_catalog` saves all). Makes no call."""
    with ctx.warehouse.read() as conn:
        return matching(worklists.saved_charts(conn), words, platform=platform, country=country)


def matching(
    charts: Iterable[Chart], words: Sequence[str], *, platform: str | None, country: str | None
) -> list[Chart]:
    """Those whose name, slug, country or city holds every word, whatever its case and accents."""
    return [chart for chart in charts if platform in (None, chart.platform) and _matches(chart, words, country)]


def _matches(chart: Chart, words: Sequence[str], country: str | None) -> bool:
    if country and (chart.country_code or "").lower() != country.lower():
        return False
    text = folded(" ".join(filter(None, [chart.name, chart.slug, chart.country_code, chart.city_name])))
    return all(folded(word) in text for word in words)


def take_chart(ctx: SyncContext, path: Path, slug: str) -> Chart:
    """Add a chart that exists to the charts file. One call; for an unknown slug the nearest ones are named. Raises
    BadUse for a slug that does not exist or is there already."""
    check_addable(path, {"slug": slug}, ctx.clock)
    try:
        chart = look_up(ctx, slug)
    except NotFound:
        near = nearest_charts(ctx, slug)
        hint = f"did you mean {' or '.join(near)}? Otherwise find" if near else "find"
        raise BadUse(
            f"Soundcharts has no chart '{brief(slug)}'; {hint} it by name with `{program()} charts search`"
        ) from None
    add_chart(path, slug, chart.name, clock=ctx.clock)
    return chart


def look_up(ctx: SyncContext, slug: str) -> Chart:
    """A chart by its slug; what comes is saved. One call. Raises NotFound."""
    chart, _ = ctx.client.newest_ranking(slug)
    with ctx.warehouse.write() as conn:
        save_charts(conn, [chart])
        ctx.keep_usage(conn)
    return chart
