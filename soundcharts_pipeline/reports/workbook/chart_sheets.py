"""The data sheets of a chart-day's workbook: ranking, tracks, artists and audience, as tables of plain values."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from soundcharts_pipeline.reports.workbook.sheets import Column, Kind, Link, Rule, Sheet
from soundcharts_pipeline.storage.queries.chart_day import ChartDay
from soundcharts_pipeline.storage.tables.schema import TREND_DAYS

NEW, RE_ENTRY = "new", "re-entry"
SECONDS_A_DAY = 86_400
# Newest first, so that the page shows what one looks at first.
PRINTED_DAYS = 7

GOOD, BAD, FRESH, BACK = "#1B7F3B", "#B3261E", "#DCEBFA", "#FFF1D6"
UNITS = {"DOC": "days", "WOC": "weeks"}


def ranking_sheet(of: ChartDay) -> Sheet:
    """One row is one track on its position."""
    metric = next((entry.metric_type for entry in of.ranking if entry.metric_type), None) or "metric"
    return Sheet(
        name="Ranking",
        frozen=4,
        printed=13,
        columns=[
            *(Column("Position", Kind.WHOLE), Column("Movement", Kind.CHANGE), Column("State")),
            *(Column("Track"), Column("Artists", widest=36), Column("Previous", Kind.WHOLE)),
            *(Column("Peak", Kind.WHOLE), Column("On chart", Kind.WHOLE), Column("Unit")),
            *(Column(f"Chart's {metric}", Kind.WHOLE), Column("Entered", Kind.DATE)),
            *(Column("Released", Kind.DATE), Column("ISRC"), Column("Track UUID")),
        ],
        rows=[
            (
                *(entry.position, move.change, move.kind),
                *(Link(entry.name or entry.track_uuid, entry.app_url), entry.credit_name, move.old_position),
                *(entry.peak, entry.time_on_chart, UNITS.get(entry.time_on_chart_unit, entry.time_on_chart_unit)),
                *(entry.metric, entry.entry_date, entry.release_date, entry.isrc, entry.track_uuid),
            )
            for entry in of.ranking
            for move in [of.moves[entry.position, entry.track_uuid]]
        ],
        rules=[
            *_gains_and_losses(1, 1),
            *(Rule((2, 2), "==", f'"{word}"', {"bg_color": fill}) for word, fill in ((NEW, FRESH), (RE_ENTRY, BACK))),
        ],
    )


def tracks_sheet(of: ChartDay) -> Sheet:
    """One row is one track."""
    return Sheet(
        name="Tracks",
        frozen=2,
        printed=11,
        columns=[
            *(Column("Position", Kind.WHOLE), Column("Track"), Column("Main artists"), Column("Featured artists")),
            *(Column("ISRC"), Column("Released", Kind.DATE), Column("Length", Kind.DURATION), Column("Explicit")),
            *(Column("Language"), Column("Genres"), Column("Labels"), Column("Distributor", widest=24)),
            *(Column("Credited artists"), Column("Composers"), Column("Producers"), Column("ISWCs")),
            *(Column("Copyright"), Column("Metadata of", Kind.DATE), Column("Track UUID")),
        ],
        rows=[
            (
                *(track.position, Link(track.name, track.app_url)),
                *(_credited(of, track.uuid, "main"), _credited(of, track.uuid, "featured")),
                *(track.isrc, track.release_date),
                track.duration_seconds and track.duration_seconds / SECONDS_A_DAY,
                None if track.explicit is None else "yes" if track.explicit else "no",
                *(track.language_code, _listed(of.genres.get(track.uuid)), _labels(track.labels), track.distributor),
                *(_credited(of, track.uuid, "credited"), _listed(track.composers), _listed(track.producers)),
                *(_listed(track.iswcs), track.copyright, _day_of(track), track.uuid),
            )
            for track in of.tracks
        ],
    )


def artists_sheet(of: ChartDay) -> Sheet:
    """One row is one artist."""
    return Sheet(
        name="Artists",
        frozen=3,
        printed=12,
        columns=[
            *(Column("Best position", Kind.WHOLE), Column("Tracks", Kind.WHOLE), Column("Artist"), Column("Country")),
            *(Column("City", widest=24), Column("Career stage"), Column("Growth level"), Column("Genres")),
            *(Column("Type"), Column("Gender"), Column("Born", Kind.DATE), Column("ISNI"), Column("IPI")),
            *(Column("Metadata of", Kind.DATE), Column("Artist UUID"), Column("Biography", widest=60)),
        ],
        rows=[
            (
                *(artist.position, artist.tracks, Link(artist.name, artist.app_url or artist.web_url)),
                *(artist.country_code, artist.city_name, artist.career_stage, artist.growth_level),
                *(_listed(of.genres.get(artist.uuid)), artist.type, artist.gender, artist.birth_date, artist.isni),
                *(artist.ipi, _day_of(artist), artist.uuid, artist.biography),
            )
            for artist in of.artists
        ],
    )


def audience_sheet(of: ChartDay) -> Sheet:
    """One row is one series; one column is one day, the newest first. Missing days are empty, never 0."""
    names = names_of(of)
    days = of.days[::-1]
    fixed = [
        *(Column("Platform"), Column("Of"), Column("Position", Kind.WHOLE), Column("Name", widest=32)),
        *(Column("Metric"), Column("Days known", Kind.WHOLE), Column("Newest day", Kind.DATE)),
    ]
    ordered = sorted(of.series, key=lambda s: (s.platform, s.entity != "track", s.metric, names[s.uuid][0], s.uuid))
    return Sheet(
        name="Audience",
        frozen=5,
        printed=len(fixed) + PRINTED_DAYS,
        columns=[*fixed, *(Column(day, Kind.WHOLE) for day in days), Column("Identifier"), Column("UUID")],
        rows=[
            (
                *(series.platform, series.entity, *names[series.uuid], series.metric),
                *(len(series.values), max(series.values)),
                *(series.values.get(day) for day in days),
                *(series.identifier or None, series.uuid),
            )
            for series in ordered
        ],
    )


def trends_sheet(of: ChartDay) -> Sheet:
    """One row is one track or artist, platform and metric: a row of `audience_trends`."""
    names = names_of(of)
    spans = TREND_DAYS
    ordered = sorted(
        (trend for trend in of.trends if trend.uuid in names),
        key=lambda t: (t.platform, t.entity != "track", t.metric, names[t.uuid], t.uuid),
    )
    return Sheet(
        name="Trends",
        frozen=5,
        printed=15,
        columns=[
            *(Column("Platform"), Column("Of"), Column("Position", Kind.WHOLE), Column("Name", widest=32)),
            *(Column("Metric"), Column("Day", Kind.DATE), Column("Value", Kind.WHOLE)),
            *(Column(f"{span} d %", Kind.GROWTH) for span in spans),
            *(Column("Last day", Kind.WHOLE), Column("Average day", Kind.WHOLE), Column("Streak", Kind.WHOLE)),
            *(Column("Unusual"), Column("Peak", Kind.WHOLE), Column("Peak day", Kind.DATE)),
            *(Column(f"{span} d change", Kind.WHOLE) for span in spans),
            *(Column("Best day", Kind.WHOLE), Column("Best day's date", Kind.DATE), Column("Velocity", Kind.DECIMAL)),
            *(Column("Average", Kind.WHOLE), Column("Days known", Kind.WHOLE), Column("UUID")),
        ],
        rows=[
            (
                *(t.platform, t.entity, *names[t.uuid], t.metric, t.date, t.value),
                *(getattr(t, f"change_{span}") for span in spans),
                *(t.daily, t.daily_average, t.streak, "yes" if t.anomaly else None, t.peak, t.peak_date),
                *(getattr(t, f"difference_{span}") for span in spans),
                *(t.daily_peak, t.daily_peak_date, t.velocity, t.average, t.points, t.uuid),
            )
            for t in ordered
        ],
        rules=_gains_and_losses(7, 6 + len(spans)),
    )


def names_of(of: ChartDay) -> Mapping[str, tuple[int, str]]:
    """Best position and name of every track and artist of the day."""
    return {row.uuid: (row.position, row.name) for row in [*of.tracks, *of.artists]}


def _gains_and_losses(first: int, last: int) -> list[Rule]:
    """Of numbers in these columns."""
    return [
        Rule((first, last), ">", "0", {"font_color": GOOD}),
        Rule((first, last), "<", "0", {"font_color": BAD}),
    ]


def _credited(of: ChartDay, track_uuid: str, role: str) -> str | None:
    return _listed([name for its, _, name in of.credits.get(track_uuid, ()) if its == role])


def _labels(labels: Sequence[Mapping[str, Any]] | None) -> str | None:
    return _listed([str(label["name"]) for label in labels or () if label.get("name")])


def _listed(names: Sequence[str] | None) -> str | None:
    return ", ".join(names) if names else None


def _day_of(entity: Row[Any]) -> date | None:
    fetched: datetime | None = entity.metadata_fetched_at
    return fetched.date() if fetched else None
