"""Find charts in the live catalogue, and take them into charts.yaml."""

from collections.abc import Collection, Sequence
from pathlib import Path

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.charts_file import add_chart
from soundcharts_pipeline.models import Chart
from soundcharts_pipeline.settings import SettingsError, load_settings
from soundcharts_pipeline.storage.saves import save_charts
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.rankings import nearest_charts


def search_charts(ctx: SyncContext, words: Sequence[str], *, platform: str | None, country: str | None) -> list[Chart]:
    """Charts whose name, slug, country or city holds every word. One call per 100 charts of the platforms asked,
    one more for the list of platforms when none is named; what comes is saved."""
    found: list[Chart] = []
    for code in [platform] if platform else ctx.client.chart_platforms():
        charts = ctx.client.charts(code)
        with ctx.warehouse.write() as conn:
            save_charts(conn, charts)
            ctx.keep_usage(conn)
        found += [chart for chart in charts if _matches(chart, words, country)]
    return found


def _matches(chart: Chart, words: Sequence[str], country: str | None) -> bool:
    if country and (chart.country_code or "").lower() != country.lower():
        return False
    text = " ".join(filter(None, [chart.name, chart.slug, chart.country_code, chart.city_name])).lower()
    return all(word.lower() in text for word in words)


def take_chart(ctx: SyncContext, path: Path, slug: str) -> Chart:
    """Add a chart that exists to the charts file. One call; for an unknown slug the nearest ones are named."""
    if slug in _known(path):
        raise SettingsError(f"{path}: chart '{slug}' is already there")
    try:
        chart, _ = ctx.client.newest_ranking(slug)
    except NotFound:
        near = nearest_charts(ctx, slug)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise SettingsError(
            f"Soundcharts has no chart '{slug}'{hint} `soundcharts-pipeline charts search` finds them by name"
        ) from None
    with ctx.warehouse.write() as conn:
        save_charts(conn, [chart])
        ctx.keep_usage(conn)
    add_chart(path, slug, chart.name)
    return chart


def _known(path: Path) -> Collection[str]:
    """Slugs of the charts file; none of a file that does not load (an empty one is where adding begins)."""
    try:
        return load_settings(path).slugs
    except SettingsError:
        return ()
