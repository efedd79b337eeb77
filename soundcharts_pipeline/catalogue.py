"""Find charts in the live catalogue, and take them into charts.yaml."""

from collections.abc import Sequence
from pathlib import Path

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.charts_file import add_chart, check_addable
from soundcharts_pipeline.models import Chart
from soundcharts_pipeline.settings import Refused
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.saves import save_charts
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import nearest_charts
from soundcharts_pipeline.terminal import program
from soundcharts_pipeline.yaml_nodes import write_nearest


def search_charts(ctx: SyncContext, words: Sequence[str], *, platform: str | None, country: str | None) -> list[Chart]:
    """Charts whose name, slug, country or city holds every word. One call per 100 charts of the platforms asked,
    one more for the list of platforms when none is named; what comes is saved."""
    found: list[Chart] = []
    for code in [platform] if platform else ctx.client.chart_platforms():
        try:
            charts = ctx.client.charts(code)
        except NotFound:
            remedy = write_nearest(code, ctx.client.chart_platforms())
            raise Refused(f"Soundcharts has no charts of the platform '{code}'; {remedy}") from None
        with ctx.warehouse.write() as conn:
            save_charts(conn, charts)
            ctx.keep_usage(conn)
        found += [chart for chart in charts if _matches(chart, words, country)]
    return found


def search_saved(ctx: SyncContext, words: Sequence[str], *, platform: str | None, country: str | None) -> list[Chart]:
    """The same among the charts that are saved (`chart_catalog` saves all). Makes no call."""
    with ctx.warehouse.read() as conn:
        saved = worklists.saved_charts(conn)
    return [chart for chart in saved if platform in (None, chart.platform) and _matches(chart, words, country)]


def _matches(chart: Chart, words: Sequence[str], country: str | None) -> bool:
    if country and (chart.country_code or "").lower() != country.lower():
        return False
    text = " ".join(filter(None, [chart.name, chart.slug, chart.country_code, chart.city_name])).lower()
    return all(word.lower() in text for word in words)


def take_chart(ctx: SyncContext, path: Path, slug: str) -> Chart:
    """Add a chart that exists to the charts file. One call; for an unknown slug the nearest ones are named."""
    check_addable(path, slug)
    try:
        chart, _ = ctx.client.newest_ranking(slug)
    except NotFound:
        near = nearest_charts(ctx, slug)
        hint = f"did you mean {' or '.join(near)}? Otherwise find" if near else "find"
        raise Refused(
            f"Soundcharts has no chart '{slug}'; {hint} it by name with `{program()} charts search`"
        ) from None
    with ctx.warehouse.write() as conn:
        save_charts(conn, [chart])
        ctx.keep_usage(conn)
    add_chart(path, slug, chart.name)
    return chart
