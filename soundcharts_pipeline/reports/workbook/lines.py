"""What the line charts of a workbook show. Without XlsxWriter, which a run needs only when it writes one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from soundcharts_pipeline.reports.workbook.cells import short
from soundcharts_pipeline.storage.queries.chart_day import ChartDay
from soundcharts_pipeline.storage.queries.lines import (
    AudienceLines,
    Points,
    SeriesHistory,
    audience_lines,
    rank_lines,
    told_apart,
)

LINES = 5
LISTENERS = ("spotify", "monthly_listeners")


class Lines(NamedTuple):
    """Lines of one chart: a name and its values by day. Fewer than two days are no line; no unit means positions."""

    title: str
    unit: str
    values: Sequence[tuple[str, Mapping[date, int]]]

    @property
    def days(self) -> set[date]:
        return {day for _, by_day in self.values for day in by_day}


def chart_lines(conn: Connection, of: ChartDay) -> list[Lines]:
    """The lines of the pictures: the race, the best tracks on the platform that most is known of (the chart's own, if
    it is one), and the best artists."""
    race = rank_lines(conn, of.slug, of.day, first=of.days[0])
    made = [
        Lines(
            f"Positions of today's top {len(race)}",
            "",
            _shortened([(f"{points[-1][1]} {name}", points) for name, points in race]),
        )
    ]
    tracks = Counter(series.platform for series in of.series if series.entity == "track")
    if tracks:
        own = of.chart.platform if of.chart else None
        platform = own if own is not None and own in tracks else tracks.most_common(1)[0][0]
        of_tracks = audience_lines(conn, of.slug, of.day, "track", platform=platform, days=len(of.days))
        made += [_best(of_tracks, series, "tracks") for series in of_tracks.series[:1]]
    artists = Counter((s.platform, s.metric) for s in of.series if s.entity == "artist")
    if artists:
        platform, metric = LISTENERS if LISTENERS in artists else artists.most_common(1)[0][0]
        of_artists = audience_lines(conn, of.slug, of.day, "artist", platform=platform, days=len(of.days))
        made += [_best(of_artists, series, "artists") for series in of_artists.series if series.metric == metric]
    return made


def _shortened(lines: Sequence[tuple[str, Points]]) -> list[tuple[str, Mapping[date, int]]]:
    """The lines with names that a legend has room for, still each another."""
    names = told_apart([short(name) for name, _ in lines])
    return [(name, dict(points)) for name, (_, points) in zip(names, lines, strict=True)]


def _best(lines: AudienceLines, series: SeriesHistory, nouns: str) -> Lines:
    found = _shortened(lines.named(series, LINES))
    return Lines(f"Top {len(found)} {nouns}: {series.platform} {series.unit}", series.unit, found)
