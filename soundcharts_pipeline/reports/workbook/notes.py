"""What a reader of the workbook has to know: where the figures come from, what they mean, and what is missing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from soundcharts_pipeline.reports.workbook.cells import short
from soundcharts_pipeline.reports.workbook.sheets import Column, Kind, Sheet
from soundcharts_pipeline.storage.queries.chart_day import ChartDay, StoredSeries

MISSING = "Missing"
# So many names stand for those that are missing.
NAMED = 8
SOURCES = (
    ("Source", "Figures", "Soundcharts, through its API, as stored by soundcharts-pipeline. Nothing is estimated."),
    ("Source", "Links", "Names of tracks and artists lead to their pages on Soundcharts, which want a login."),
)
DEFINITIONS = (
    (
        "Definition",
        "Movement",
        "Places gained (▲) or lost (▼) since the ranking before; = is none; empty for an entry.",
    ),
    (
        "Definition",
        "State",
        "new: no old position and its first day here; re-entry: no old position, but it was on this chart before, by "
        "its time on the chart or a stored ranking; up, down, same: by its movement.",
    ),
    (
        "Definition",
        "Peak",
        "Of a position: the best one in the rankings of this chart that are stored, this one included.",
    ),
    ("Definition", "On chart", "As Soundcharts counts it, in days or weeks."),
    (
        "Definition",
        "Audience",
        "One row per series. Figures of tracks are running totals as the platform counts them, except spins, which are "
        "of the day; of artists, views are of the day, followers and monthly listeners the state of that day. An empty "
        "cell is a day without a figure, never 0.",
    ),
    (
        "Definition",
        "Trends",
        "Value: the newest up to the chart's day. 1, 7, 28 and 90 d: against the value so many days before. Last day, "
        "average, best day: what was gained in a day. Streak: days in a row that beat the day before. Velocity: slope "
        "of the last 7 days. Unusual: the last gain is far from those of the 28 days before. Empty: a day to compare "
        "with is missing.",
    ),
    ("Definition", "Credits", "Main and featured artists as Soundcharts names them; credited are all it knows."),
    (
        "Definition",
        "Texts",
        "Names are as the API gave them, less characters that no workbook can hold; a text ends at 32,767.",
    ),
)


def notes_sheet(
    of: ChartDay, *, expected: Sequence[tuple[str, str, str]], left_out: Mapping[str, str], made: str
) -> Sheet:
    """`expected`: entity, platform and metric of each series that the chart asks for; `left_out`: assets that its
    settings leave out, and why."""
    found = [*_of_the_ranking(of), *_of_the_series(of, expected), *_of_the_archive(of)]
    rows = [
        ("Workbook", "Written", f"{made} UTC; figures that Soundcharts publishes later are not in it."),
        *(note for note in found if note[0] == MISSING),
        *((MISSING, asset, f"Not fetched for this chart: {reason}.") for asset, reason in left_out.items()),
        *(note for note in found if note[0] != MISSING),
        *SOURCES,
        *DEFINITIONS,
    ]
    return Sheet(
        name="Notes",
        columns=[Column("About"), Column("Subject"), Column("Note", Kind.PROSE, widest=120)],
        rows=rows,
    )


def _of_the_ranking(of: ChartDay) -> Iterator[tuple[str, str, str]]:
    places, announced = len(of.ranking), of.chart.max_results if of.chart else None
    if announced and places < announced:
        yield MISSING, "Ranking", f"{places} places are published; the chart has up to {announced}."
    yield (
        "Coverage",
        "Chart history",
        f"Rankings with today's tracks are stored for {len(of.ranked_days)} of the {len(of.days)} days to {of.day}; "
        "peaks, re-entries and the chart of positions know no others.",
    )
    for noun, rows in (("tracks", of.tracks), ("artists", of.artists)):
        unknown = [row.name for row in rows if row.metadata_fetched_at is None]
        if unknown:
            yield MISSING, f"Metadata of {noun}", f"None for {len(unknown)} of {len(rows)}: {_some(unknown)}."
    uncredited = [track.name for track in of.tracks if not of.credits.get(track.uuid)]
    if uncredited:
        yield MISSING, "Artists of tracks", f"None are known of {len(uncredited)} tracks: {_some(uncredited)}."


def _of_the_series(of: ChartDay, expected: Sequence[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    found: dict[tuple[str, str, str], list[StoredSeries]] = {kind: [] for kind in expected}
    for series in of.series:
        found.setdefault((series.entity, series.platform, series.metric), []).append(series)
    if not of.trends:
        yield MISSING, "Trends", "None are stored for this day; the asset audience_trends makes them."
    for (entity, platform, metric), of_kind in found.items():
        owners = of.tracks if entity == "track" else of.artists
        known = {series.uuid for series in of_kind}
        without = [row.name for row in owners if row.uuid not in known]
        subject = f"{platform}: {metric} of {entity}s"
        if without:
            none = (
                "None at all"
                if not of_kind
                else f"None for {len(without)} of {len(owners)} {entity}s: {_some(without)}"
            )
            yield MISSING, subject, f"{none}, in the {len(of.days)} days to {of.day}."
        if of_kind:
            yield "Coverage", subject, _covered(of, of_kind)


def _covered(of: ChartDay, series: Sequence[StoredSeries]) -> str:
    newest = max(max(one.values) for one in series)
    behind = (of.day - newest) // timedelta(days=1)
    late = sum(max(one.values) < newest for one in series)
    span = sum((max(one.values) - min(one.values)).days + 1 for one in series)
    gaps = span - sum(len(one.values) for one in series)
    return (
        f"{len(series)} series; the newest day is {newest}"
        + (f", {behind} before the chart's" if behind else "")
        + (f"; {late} series end earlier" if late else "")
        + (
            f"; {gaps} of {span} days between first and newest have no figure"
            if gaps
            else "; no day between is missing"
        )
        + "."
    )


def _of_the_archive(of: ChartDay) -> Iterator[tuple[str, str, str]]:
    if of.archived:
        months = ", ".join(of.archived)
        note = f"Rows of {months} are in the archive and not in this workbook; `restore-archive` brings them back."
        yield MISSING, "Archived months", note


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(short(name) for name in names[:NAMED]) + (f" and {more} more" if more > 0 else "")
