"""Backfills that Dagster gave up. Each time a backfill goes on, Dagster compares its days with those that charts.yaml
makes; when one is gone, it ends the whole backfill and cancels its runs. That is nobody's wish, and is to be told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import dagster as dg

from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.monitoring.health import RunState
from soundcharts_pipeline.orchestration.dagster_internals import BulkActionsFilter
from soundcharts_pipeline.orchestration.partitions import first_day, parse_key, partition_key, spans_of
from soundcharts_pipeline.orchestration.run_events import moment
from soundcharts_pipeline.orchestration.run_requests import keys_of_backfill
from soundcharts_pipeline.orchestration.stops import GIVEN_UP

# Backfills are read whole, with all their days: as far back as a status looks, and a few of them.
LOOK_BACK = timedelta(days=30)
MOST = 10
# How long a backfill is told of whose days are still to do, and one of which nothing is.
TOLD_FOR, TOLD_FOR_WITH_NOTHING_LEFT = timedelta(days=1), timedelta(hours=1)
_SPANS_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """One of them: its chart-days, when it was launched and ended (None: its runs are still being canceled), and
    Dagster's own words."""

    backfill: str
    keys: frozenset[str]
    began_at: datetime
    ended_at: datetime | None
    said: str

    @cached_property
    def slugs(self) -> set[str]:
        return {slug for slug, _ in map(parse_key, self.keys)}

    def reason(self, settings: Settings) -> str:
        """Why, in words that name what is gone."""
        slugs = sorted(self.slugs - {*settings.slugs})
        if slugs:
            return f"{', '.join(slugs)} {'is' if len(slugs) == 1 else 'are'} not in charts.yaml any more"
        first = first_day(settings)
        if any(day < first for _, day in map(parse_key, self.keys)):
            return f"charts.yaml has no day before {first} any more, its earliest first_date"
        if "have been removed" in self.said:  # and they are back: the file has changed again, or was read late
            return "its daemon went by another charts.yaml at that moment"
        return self.said.strip().splitlines()[0][:200] if self.said.strip() else "Dagster does not say why"

    def lost(self, settings: Settings, runs: Iterable[RunState]) -> set[str]:
        """Its chart-days that charts.yaml still wants, and that it did not bring."""
        brought = _keys_of(run for run in runs if run.state == "complete" and run.backfill == self.backfill)
        return {key for key in self.keys - brought if _is_wanted(key, settings)}

    def told(self, settings: Settings, runs: Sequence[RunState], now: datetime) -> str | None:
        """A sentence for people, while it is news: until somebody asks for what is left, and no longer than a day."""
        age = now - self.ended_at if self.ended_at else timedelta(0)
        if age > TOLD_FOR:
            return None
        ours = [run for run in runs if run.chart in self.slugs and run.created_at >= self.began_at]
        lost = self.lost(settings, ours)
        left = lost - _keys_of(run for run in ours if run.backfill != self.backfill)
        if not left and (lost or age > TOLD_FOR_WITH_NOTHING_LEFT):
            return None
        at = f"at {self.ended_at:%Y-%m-%d %H:%M} UTC" if self.ended_at else "a moment ago"
        said = f"Dagster gave up backfill {self.backfill} {at}, and its runs with it: {self.reason(settings)}"
        rest = f"launch what is left of it again: {_listed(left)}" if left else "nothing else of it is left to do"
        return f"{said}; {rest}"


def _keys_of(runs: Iterable[RunState]) -> set[str]:
    return {partition_key(run.chart, day) for run in runs for day in run.days_within(run.first, run.last)}


def _is_wanted(key: str, settings: Settings) -> bool:
    slug, day = parse_key(key)
    return slug in settings.charts and day >= settings.charts[slug].first_date


def _listed(keys: Iterable[str]) -> str:
    spans = spans_of(sorted(keys))
    more = len(spans) - _SPANS_NAMED
    return ", ".join(map(str, spans[:_SPANS_NAMED])) + (f" and {more} more" if more > 0 else "")


def reasons(given_up: Iterable[GivenUp], settings: Settings) -> Mapping[str, str]:
    """Why each backfill was given up, by its id."""
    return {one.backfill: one.reason(settings) for one in given_up}


def told_of(given_up: Iterable[GivenUp], settings: Settings, runs: Sequence[RunState], now: datetime) -> list[str]:
    """What is to be said of them at this moment of Dagster's clock."""
    return [said for one in given_up if (said := one.told(settings, runs, now)) is not None]


def read_given_up(instance: dg.DagsterInstance, now: datetime) -> list[GivenUp]:
    """The newest of the last thirty days that hold chart-days."""
    filters = BulkActionsFilter(statuses=GIVEN_UP, created_after=now - LOOK_BACK)
    found = [
        GivenUp(
            backfill=one.backfill_id,
            keys=frozenset(keys_of_backfill(one)),
            began_at=datetime.fromtimestamp(one.backfill_timestamp, UTC),
            ended_at=moment(one.backfill_end_timestamp),
            said=one.error.message if one.error else "",
        )
        for one in instance.get_backfills(filters=filters, limit=MOST)
    ]
    return [one for one in found if one.keys]
