"""What the templates of charts, tracks and artists show, made of what the warehouse holds: words, tables, lines.

Knows no web and no SQL; the templates escape.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import Genre
from soundcharts_pipeline.reports.pictures.canvas import platform_name, share
from soundcharts_pipeline.reports.pictures.sparklines import Points
from soundcharts_pipeline.storage.queries.chart_runs import ChartRun
from soundcharts_pipeline.storage.queries.geography import Located
from soundcharts_pipeline.storage.queries.lines import AudienceLines, Shown, told_apart
from soundcharts_pipeline.storage.queries.profiles import ArtistPage, TrackPage
from soundcharts_pipeline.storage.queries.series import Entity, Line, StoredSeries

# Rows of the table below a figure.
NEWEST = 30
# Lines of a series in its figure, which stays below 60 kB; other identifiers are in the sum alone.
MOST_LINES = 5
CHANGES = (1, 7, 28)
# The track metrics that are no totals since the release.
_BY_DAY = {"spins": "spins a day"}
_OF_ARTISTS = {"monthly_listeners": "monthly listeners (of 28 days)"}

Fact = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Numbers:
    """A figure's values as a table, newest day first."""

    columns: Sequence[str]
    rows: Sequence[tuple[date, Sequence[int | None]]]


@dataclass(frozen=True, slots=True)
class AudienceView:
    """A picture's values as a table: the newest value of each series and its day, by who has it."""

    entity: Entity
    columns: Sequence[str]
    rows: Sequence[tuple[Shown, Sequence[tuple[date, int] | None]]]


@dataclass(frozen=True, slots=True)
class PlaceTable:
    """Places with values and shares of what is listed of their kind."""

    name: str
    day: date
    rows: Sequence[tuple[str, int, str]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One series in words. `changes` are by CHANGES."""

    unit: str
    series: StoredSeries

    @property
    def changes(self) -> list[int | None]:
        return [self.series.change(days) for days in CHANGES]


@dataclass(frozen=True, slots=True)
class PlatformView:
    """One platform of a track or artist. `numbers` is None when there is nothing to draw; `more` identifiers are not
    drawn."""

    code: str
    name: str
    metrics: Sequence[Metric]
    numbers: Numbers | None
    more: int


def unit_of(entity: Entity, metric: str) -> str:
    """What a value is."""
    if entity == "artist":
        return _OF_ARTISTS.get(metric, metric.replace("_", " "))
    return _BY_DAY.get(metric, f"{metric.replace('_', ' ')}, total so far")


def platform_views(entity: Entity, audience: Iterable[StoredSeries]) -> list[PlatformView]:
    """The platforms in the order in which they come."""
    found: dict[str, list[StoredSeries]] = {}
    for series in audience:
        found.setdefault(series.platform, []).append(series)
    return [_platform_view(entity, code, of_platform) for code, of_platform in found.items()]


def lines_of(series: StoredSeries) -> list[tuple[str, Points]]:
    """Identifiers and points of the lines that are drawn of a series."""
    return [(line.identifier, line.points) for line in series.lines[:MOST_LINES]]


def positions(lines: Iterable[tuple[str, Points]]) -> Numbers:
    """Positions by day, a column for each named line."""
    named = list(lines)
    return _numbers([name for name, _ in named], [points for _, points in named])


def chart_lines(charts: Mapping[str, ChartSettings], runs: Iterable[ChartRun]) -> list[tuple[str, Points]]:
    """The runs with their charts' names: as charts.yaml calls them, or Soundcharts' own of one that is not in it."""
    found = [(charts[run.chart_slug].name if run.chart_slug in charts else run.chart_name, run.points) for run in runs]
    names = told_apart([name for name, _ in found])
    return [(name, points) for name, (_, points) in zip(names, found, strict=True)]


def audience_view(entity: Entity, lines: AudienceLines) -> AudienceView:
    """The newest values of the best placed."""
    columns = [f"{platform_name(of.platform)} {of.unit}" for of in lines.series]
    rows = [
        (one, [of.points[one.uuid][-1] if one.uuid in of.points else None for of in lines.series])
        for one in lines.shown
    ]
    return AudienceView(entity, columns, rows)


def place_tables(found: Iterable[Located]) -> list[PlaceTable]:
    """Every listed place of each series, countries first."""
    tables = []
    for one in found:
        rows = [
            (name, value, share(value, sum(other for _, other in places) or 1))
            for places in (one.countries, one.cities)
            for name, value in places
        ]
        tables.append(PlaceTable(f"{platform_name(one.platform)} {unit_of('artist', one.metric)}", one.day, rows))
    return tables


def track_facts(page: TrackPage) -> list[Fact]:
    """What is known of it, in the order of interest."""
    track = page.track
    length = (
        None if track.duration_seconds is None else f"{track.duration_seconds // 60}:{track.duration_seconds % 60:02}"
    )
    explicit = None if track.explicit is None else ("yes" if track.explicit else "no")
    return _known(
        ("Released", track.release_date),
        ("ISRC", track.isrc),
        ("Length", length),
        ("Genres", genres(track.genres)),
        ("Labels", ", ".join(str(label.get("name")) for label in track.labels if label.get("name"))),
        ("Distributor", track.distributor),
        ("Composers", ", ".join(track.composers)),
        ("Producers", ", ".join(track.producers)),
        ("Language", track.language_code),
        ("Explicit", explicit),
        ("Copyright", track.copyright),
    )


def artist_facts(page: ArtistPage) -> list[Fact]:
    """What is known of the artist, in the order of interest."""
    artist = page.artist
    return _known(
        ("From", ", ".join(part for part in (artist.city_name, artist.country_code) if part)),
        ("Career stage", _words(artist.career_stage)),
        ("Growth", _words(artist.growth_level)),
        ("Genres", genres(artist.genres)),
        ("Type", artist.type),
        ("Gender", artist.gender),
        ("Born", artist.birth_date),
        ("ISNI", artist.isni),
        ("IPI", artist.ipi),
    )


def genres(found: Iterable[Genre]) -> str:
    """`pop (electropop, art pop), rock`."""
    return ", ".join(f"{genre.root} ({', '.join(genre.subs)})" if genre.subs else genre.root for genre in found)


def web_address(text: str | None) -> str | None:
    """The address when it leads to the web: data may hold `javascript:` ones."""
    return text if text and text.startswith(("https://", "http://")) else None


def _known(*facts: tuple[str, object]) -> list[Fact]:
    return [(name, value) for name, value in facts if value not in (None, "")]


def _words(code: str | None) -> str | None:
    return code and code.replace("_", " ")


def _platform_view(entity: Entity, code: str, found: Sequence[StoredSeries]) -> PlatformView:
    drawn: list[tuple[str, Line]] = []
    for series in found:
        unit = unit_of(entity, series.metric)
        for line in series.lines[:MOST_LINES]:
            drawn.append((unit if len(series.lines) == 1 else f"{unit}: {line.identifier}", line))
    numbers = _numbers([name for name, _ in drawn], [line.points for _, line in drawn]) if drawn else None
    return PlatformView(
        code=code,
        name=platform_name(code),
        metrics=[Metric(unit_of(entity, series.metric), series) for series in found],
        numbers=numbers,
        more=sum(max(0, len(series.lines) - MOST_LINES) for series in found),
    )


def _numbers(columns: Sequence[str], lines: Sequence[Points]) -> Numbers:
    by_day: list[Mapping[date, int]] = [dict(points) for points in lines]
    days = sorted(set().union(*by_day), reverse=True)[:NEWEST]
    return Numbers(columns, [(day, [values.get(day) for values in by_day]) for day in days])
