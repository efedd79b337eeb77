"""The size of the warehouse over time, and what it is going to be."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from soundcharts_pipeline.reports.pictures.curves import Line, Panel, series_figure
from soundcharts_pipeline.storage.housekeeping.size_report import Forecast

TITLE = "Size of the warehouse"


def size_plot(totals: Sequence[tuple[datetime, int]], forecast: Forecast | None) -> str:
    """SVG: bytes at every report (oldest first), of a day at its last one, and the forecast of 90 days."""
    measured = list({at.date(): size for at, size in totals}.items())
    lines = [Line("measured", measured, is_whole=True)]
    if forecast is not None:
        day, size = measured[-1]
        ahead = [(30, forecast.in_30_days), (90, forecast.in_90_days)]
        points = [(day, size), *((day + timedelta(days=days), size) for days, size in ahead)]
        lines.append(Line("forecast", points, is_whole=True))
    return series_figure(TITLE, [Panel("bytes", lines, from_zero=True)])
