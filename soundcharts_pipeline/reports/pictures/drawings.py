"""The pictures of charts, tracks and artists: what is stored, in the words of the figures. One source for pages and for
Dagster's metadata.

Each is told by rows that were read before, and drawn later: in a thread, at the width that is asked for. Where there is
nothing to draw, there is no drawing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from soundcharts_pipeline.reports.pictures import curves, geography, movers, sparkline_table
from soundcharts_pipeline.reports.pictures.canvas import platform_name
from soundcharts_pipeline.reports.pictures.sparklines import Points
from soundcharts_pipeline.storage.queries.geography import Located
from soundcharts_pipeline.storage.queries.lines import AudienceLines, week_change
from soundcharts_pipeline.storage.queries.rankings import ChartRanking, MoveKind

MOVERS = 6
CHANGES: dict[MoveKind, str] = {"up": "Climbed most", "down": "Fell most"}
ENTRIES: dict[MoveKind, str] = {"new": "New", "re-entry": "Back"}
SERIES = 5
# So many cells fit into the 60 kB that an entry of metadata may have, and so many days into the width of a line.
CELLS, TABLE_DAYS = 120, 28
WORDS = {"monthly_listeners": "monthly listeners (28 days)"}
LISTED = "Listed places alone, and shares of them, not of the whole audience."
PARTIAL = {
    "monthly_listeners": "Spotify: about once a week, at most 50 cities; 20 to 30 countries, each the sum of its listed"
    " cities.",
    "views": "YouTube views: artists on YouTube's own charts alone.",
    "followers": "Followers: about once a month, on Instagram, TikTok and YouTube alone.",
}


class Drawing(NamedTuple):
    """A picture that can be drawn at a width in pixels. One that `shows` the same under the same title looks the
    same."""

    title: str
    shows: object
    draw: Callable[[int], str]


def rank_race(title: str, lines: Collection[tuple[str, Points]]) -> Drawing | None:
    """Positions over days, with names."""
    if not lines:
        return None

    def draw(width: int) -> str:
        return curves.rank_figure(title, [curves.Line(*line) for line in lines], width=width)

    return Drawing(title, lines, draw)


def series(title: str, panels: Sequence[tuple[str, Iterable[tuple[str, Points]]]]) -> Drawing | None:
    """Named lines by unit."""
    if not panels:
        return None
    named = [(unit, list(lines)) for unit, lines in panels]

    def draw(width: int) -> str:
        shown = [curves.Panel(unit, [curves.Line(*line) for line in lines]) for unit, lines in named]
        return curves.series_figure(title, shown, width=width)

    return Drawing(title, named, draw)


def best_series(title: str, lines: AudienceLines) -> Drawing | None:
    """The series of the best placed tracks or artists, one panel for each metric."""
    return series(title, [(of.unit, lines.named(of, SERIES)) for of in lines.series])


def top_movers(title: str, ranking: ChartRanking | None) -> Drawing | None:
    """Who climbed and fell most, who came and who came back."""
    if ranking is None:
        return None
    moved, entered = _groups(ranking, CHANGES), _groups(ranking, ENTRIES)
    if not moved and not entered:
        return None
    about = f"Places gained or lost on {ranking.day} since {ranking.day_before or 'the ranking before'}"
    shows = (about, moved, entered)
    return Drawing(title, shows, lambda width: movers.movers_figure(title, about, moved, entered, width=width))


def sparklines(title: str, lines: AudienceLines) -> Drawing | None:
    """A row for each of the best placed, a column for each series."""
    if not lines.series:
        return None
    newest = max(line[-1][0] for of in lines.series for line in of.points.values())
    columns = [sparkline_table.Column(platform_name(of.platform), of.unit) for of in lines.series]
    rows = [
        sparkline_table.Row(one.position, one.name, [_cell(of.points.get(one.uuid, []), newest) for of in lines.series])
        for one in lines.shown[: max(CELLS // len(columns), 1)]
    ]
    if not any(cell for row in rows for cell in row.cells):
        return None
    shows = (columns, rows)
    return Drawing(title, shows, lambda width: sparkline_table.sparkline_table(title, columns, rows, width=width))


def places(title: str, located: Sequence[Located], *, of_several: bool = False) -> Drawing | None:
    """Countries and cities of each series; `of_several` artists, who are named."""
    if not located:
        return None
    shown = []
    for one in located:
        unit = f"{platform_name(one.platform)} {WORDS.get(one.metric, one.metric.replace('_', ' '))}"
        heading = f"{one.artist}: {unit}" if of_several else unit
        shown.append(geography.Located(heading, one.day, one.countries, one.cities))
    note = how_partial(one.metric for one in located)
    shows = (note, shown)
    return Drawing(title, shows, lambda width: geography.geography_figure(title, note, shown, width=width))


def how_partial(metrics: Iterable[str]) -> str:
    """What the places of these metrics are, and what not."""
    return " ".join([LISTED, *dict.fromkeys(PARTIAL[metric] for metric in metrics if metric in PARTIAL)])


def _groups(ranking: ChartRanking, kinds: Mapping[MoveKind, str]) -> list[movers.MoverGroup]:
    found = [(heading, ranking.moved(kind)) for kind, heading in kinds.items()]
    return [
        movers.MoverGroup(
            heading,
            len(places),
            [movers.Mover(p.name, p.credit_name or "", p.move.old_position, p.position) for p in places[:MOVERS]],
        )
        for heading, places in found
        if places
    ]


def _cell(points: Points, newest: date) -> sparkline_table.Cell | None:
    recent = [point for point in points if (newest - point[0]).days < TABLE_DAYS]
    return sparkline_table.Cell(recent, week_change(recent)) if recent else None
