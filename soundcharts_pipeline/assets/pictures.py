"""Pictures of a chart-day for Dagster's UI: SVG inside a line of markdown, readable on a light page and a dark one."""

import base64
from datetime import date

import dagster as dg
from sqlalchemy import Connection

from soundcharts_pipeline.storage import lines


def rank_race(conn: Connection, slug: str, day: date) -> dg.MarkdownMetadataValue | None:
    """How the day's top tracks got there; None without a ranking."""
    found = lines.rank_lines(conn, slug, day)
    if not found:
        return None
    # Matplotlib takes a second to import, which nobody should wait for who only loads the definitions.
    from soundcharts_pipeline import figures

    title = f"{lines.chart_name(conn, slug)}: the top {len(found)} of {day}"
    return _shown(title, figures.rank_figure(title, [figures.Line(*line) for line in found.items()]))


def top_series(conn: Connection, slug: str, day: date, entity: str, platform: str) -> dg.MarkdownMetadataValue | None:
    """The series of the best placed tracks or artists, one panel for each metric; None without a point."""
    found = lines.series_lines(conn, slug, day, entity, platform)
    if not found:
        return None
    from soundcharts_pipeline import figures

    title = f"{lines.chart_name(conn, slug)}: {platform} of the best placed {entity}s"
    panels = [
        figures.Panel(metric.replace("_", " "), [figures.Line(*line) for line in of_metric.items()])
        for metric, of_metric in found.items()
    ]
    return _shown(title, figures.series_figure(title, panels))


def _shown(title: str, svg: str) -> dg.MarkdownMetadataValue:
    text = "".join(letter for letter in title if letter not in "[]\n")
    return dg.MetadataValue.md(f"![{text}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")
