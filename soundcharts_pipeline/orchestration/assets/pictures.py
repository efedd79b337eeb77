"""Pictures of a chart-day for Dagster's UI: SVG inside a line of markdown, readable on a light page and a dark one."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
from sqlalchemy import Connection

from soundcharts_pipeline.reports.pictures import drawings
from soundcharts_pipeline.reports.pictures.canvas import WIDE, platform_name
from soundcharts_pipeline.reports.pictures.drawings import Drawing
from soundcharts_pipeline.storage.queries import lines
from soundcharts_pipeline.storage.queries.geography import located_artists
from soundcharts_pipeline.storage.queries.rankings import chart_ranking

Pictures = Mapping[str, Drawing]
# Raised when the same rows are drawn otherwise.
DRAWN = "3"
SHOWS = "pictures_show"


def ranking_pictures(conn: Connection, slug: str, day: date) -> Pictures:
    """How the day's top tracks got there, and who moved."""
    chart, race = lines.chart_name(conn, slug), lines.rank_lines(conn, slug, day)
    return _drawings(
        {
            "rank_race": drawings.rank_race(f"{chart}: the top {len(race)} of {day}", race),
            "top_movers": drawings.top_movers(f"{chart}: movers of {day}", chart_ranking(conn, slug, day)),
        }
    )


def audience_pictures(conn: Connection, slug: str, day: date, entity: str, platform: str) -> Pictures:
    """The series of the best placed tracks or artists on one platform; of artists, where their audience is."""
    chart, name = lines.chart_name(conn, slug), platform_name(platform)
    found = lines.audience_lines(conn, slug, day, entity, platform=platform)
    located = located_artists(conn, slug, day, platform) if entity == "artist" else []
    return _drawings(
        {
            "platform_series": drawings.best_series(f"{chart}: {name} of the best placed {entity}s", found),
            "sparklines": drawings.sparklines(f"{chart}: {name} of the top {entity}s of {day}", found),
            "geography": drawings.places(f"{chart}: where the top artists are on {name}", located, of_several=True),
        }
    )


def trend_pictures(conn: Connection, slug: str, day: date) -> Pictures:
    """The tracks and the artists, with every platform."""
    chart = lines.chart_name(conn, slug)
    return _drawings(
        {
            f"{entity}_sparklines": drawings.sparklines(
                f"{chart}: top {entity}s of {day}, by platform",
                lines.audience_lines(conn, slug, day, entity, days=drawings.TABLE_DAYS),
            )
            for entity in ("track", "artist")
        }
    )


def drawn(pictures: Pictures, before: Mapping[str, Any]) -> dict[str, Any]:
    """The pictures, each under its name, and what they show in short. Those of the metadata `before` are taken over
    when they show the same: drawing them costs a run of nothing new more than all it looks up."""
    if not pictures:
        return {}
    shown = [(name, drawing.title, drawing.shows) for name, drawing in pictures.items()]
    digest = hashlib.sha256(repr((DRAWN, shown)).encode()).hexdigest()[:16]
    known = before.get(SHOWS)
    if known is not None and known.value == digest and pictures.keys() <= before.keys():
        return {name: before[name] for name in (*pictures, SHOWS)}
    return {**{name: _markdown(drawing) for name, drawing in pictures.items()}, SHOWS: dg.MetadataValue.text(digest)}


def _drawings(made: Mapping[str, Drawing | None]) -> Pictures:
    return {name: drawing for name, drawing in made.items() if drawing}


def _markdown(drawing: Drawing) -> dg.MarkdownMetadataValue:
    return picture(drawing.title, drawing.draw(WIDE))


def picture(title: str, svg: str) -> dg.MarkdownMetadataValue:
    """A picture as Dagster's UI shows one."""
    text = "".join(letter for letter in title if letter not in "[]\n")
    data = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{text}](data:image/svg+xml;base64,{data})")
