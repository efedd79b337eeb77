"""What is checked whenever an asset has been materialised, on the chart-days of that run.

Checks run in the step that wrote the data: a check of its own would cost a step (0.2 s) and could not know the
days of a range run. Which days a result is about stands in it: checks of Dagster's that have partitions are a preview.
"""

from collections.abc import Callable, Sequence
from functools import partial

import dagster as dg
from sqlalchemy import Connection

from soundcharts_pipeline.models import TRACK_METRICS, ChartDays, artist_metrics
from soundcharts_pipeline.orchestration.failures import REMEDY, WITHOUT_DATA
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.storage.queries import quality
from soundcharts_pipeline.troubleshooting import NO_DATA, trouble_of

# Which chart-days a result is about, in its metadata.
CHART_DAYS = "chart-days"

Evaluate = Callable[[Connection, Sequence[ChartDays]], dg.AssetCheckResult]


class Check:
    """One promise: its name, what it says, and how it is looked at."""

    def __init__(self, name: str, description: str, evaluate: Callable[..., tuple[bool, dict[str, int | str]]]) -> None:
        self.name = name
        self._description = description
        self._evaluate = evaluate

    def spec(self, key: dg.AssetKey) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(self.name, asset=key, description=self._description)

    def result(self, conn: Connection, spans: Sequence[ChartDays]) -> dg.AssetCheckResult:
        passed, facts = self._evaluate(conn, spans)
        looked_at = ", ".join(str(span) for span in spans)
        # Data is saved and true to the API either way: a failed check warns, it never hides the rows.
        return dg.AssetCheckResult(
            check_name=self.name,
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={CHART_DAYS: looked_at or "none", **facts},
        )


def _none_of(
    noun: str, count: Callable[[Connection, ChartDays], int]
) -> Callable[..., tuple[bool, dict[str, int | str]]]:
    def evaluate(conn: Connection, spans: Sequence[ChartDays]) -> tuple[bool, dict[str, int | str]]:
        found = sum(count(conn, span) for span in spans)
        return found == 0, {noun: found}

    return evaluate


def _broken(conn: Connection, spans: Sequence[ChartDays]) -> tuple[bool, dict[str, int | str]]:
    days = [f"{span.slug} {day}" for span in spans for day in quality.broken_rankings(conn, span)]
    return not days, {"days with holes": ", ".join(days[:20]) or "none"}


RANKING_CHECKS = (
    Check("positions_contiguous", "A ranking's positions lead from 1 down without holes; some shared.", _broken),
    Check(
        "no_orphan_tracks",
        "Every ranked track has a row in tracks.",
        _none_of("ranked tracks without a row", quality.unknown_tracks),
    ),
)

TRACK_CHECKS = (
    Check(
        "every_ranked_track_has_metadata",
        "Every ranked track has metadata, or a dated note that Soundcharts has none.",
        _none_of(
            "tracks without metadata", lambda conn, span: quality.without_metadata(conn, span, "track", proven=True)
        ),
    ),
    Check(
        "no_orphan_credits",
        "Every credit and genre of a ranked track points to an artist or genre.",
        _none_of("credits and genres that point nowhere", quality.unknown_credits),
    ),
)

ARTIST_CHECKS = (
    Check(
        "every_artist_has_metadata",
        "Every artist of a ranked track has metadata, or a dated note that Soundcharts has none.",
        _none_of("artists without metadata", partial(quality.without_metadata, entity="artist", proven=True)),
    ),
    Check(
        "no_orphan_genres",
        "Every genre of an artist points to a genre.",
        _none_of("genres that point nowhere", quality.unknown_artist_genres),
    ),
)

TREND_CHECKS = (
    Check(
        "every_series_has_a_trend",
        "Every ranked track and artist with a recent point has a trend.",
        _none_of("tracks and artists without a trend", quality.without_trend),
    ),
    Check(
        "no_orphan_trends",
        "Every trend is of a track or artist of the ranking.",
        _none_of("trends of others", quality.unranked_trends),
    ),
)


def audience_checks(entity: str, platform: str) -> tuple[Check, ...]:
    """Checks of one platform's series."""
    metrics = (TRACK_METRICS[platform],) if entity == "track" else artist_metrics(platform)

    def coverage(conn: Connection, spans: Sequence[ChartDays]) -> tuple[bool, dict[str, int | str]]:
        facts: dict[str, int | str] = {}
        passed, silent = True, list[str]()
        for metric in metrics:
            found = [quality.coverage(conn, span, entity, platform, metric) for span in spans]
            total, known = sum(c.total for c in found), sum(c.answered for c in found)
            with_data = sum(c.with_data for c in found)
            share = f", {with_data / total:.0%} have data" if total else ""
            facts[metric] = f"{known} of {total} {entity}s answered{share}"
            passed &= known == total and (with_data > 0 or total == 0)
            if known == total and total and not with_data:
                silent.append(metric)
        if silent:
            facts[WITHOUT_DATA] = ", ".join(silent)
        if len(silent) == len(metrics):  # what another metric of the platform brings is not to be left out
            facts[REMEDY] = trouble_of(NO_DATA).advice(Subject(spans[0].slug, asset=f"{entity}_audience/{platform}"))
        return passed, facts

    def negative(conn: Connection, span: ChartDays) -> int:
        return quality.negative_values(conn, span, entity, platform)

    return (
        Check(
            "series_coverage",
            f"Every {entity} of the chart has been asked for, and the platform has data for some of them.",
            coverage,
        ),
        Check("values_not_negative", "No value is below zero.", _none_of("values below zero", negative)),
    )
