"""The size of the warehouse over time as a small picture that suits a light page and a dark one."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from soundcharts_pipeline.storage.housekeeping.size_report import Forecast

INCHES, DPI = (6.4, 2.6), 100
# Readable on white and on black alike; the background stays whatever the page has.
GREY, BLUE, ORANGE = "#8a8f98", "#4c8dff", "#e08a2e"
MEGABYTE = 1_000_000
# Where matplotlib counts its days from.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def size_plot(totals: Sequence[tuple[datetime, int]], forecast: Forecast | None) -> bytes:
    """A PNG: megabytes at every report, and the forecast as a dashed line."""
    # Matplotlib takes half a second to import, which nobody should wait for who only loads the definitions.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    times = [_number(at) for at, _ in totals]
    axes.plot(times, [size / MEGABYTE for _, size in totals], color=BLUE, marker="o", markersize=3, label="measured")
    if forecast is not None:
        ahead = [times[-1], times[-1] + 30, times[-1] + 90]
        sizes = [totals[-1][1], forecast.in_30_days, forecast.in_90_days]
        axes.plot(ahead, [size / MEGABYTE for size in sizes], color=ORANGE, linestyle="--", label="forecast")
        axes.legend(frameon=False, labelcolor=GREY, fontsize=8)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("MB", color=GREY)
    axes.tick_params(colors=GREY, labelsize=8)
    locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set_color(GREY)
    axes.grid(color=GREY, alpha=0.25)
    for spine in axes.spines.values():
        spine.set_color(GREY)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", transparent=True)
    return picture.getvalue()


def _number(at: datetime) -> float:
    return (at - EPOCH) / timedelta(days=1)
