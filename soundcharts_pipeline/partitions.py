"""A partition is one chart on one day, everywhere. Every partitions definition and its arithmetic."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from soundcharts_pipeline.settings import Settings

# Dagster's documented run tags: one partition, or a range of them in one run.
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class ChartSpan:
    """One chart from the first to the last day, both inclusive."""

    slug: str
    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + ONE_DAY * n for n in range((self.last - self.first).days + 1)]

    @property
    def keys(self) -> list[str]:
        return [partition_key(self.slug, day) for day in self.days]

    @property
    def tags(self) -> dict[str, str]:
        """Run tags that make one run of the whole span."""
        return {
            RANGE_START_TAG: partition_key(self.slug, self.first),
            RANGE_END_TAG: partition_key(self.slug, self.last),
        }

    def split(self, most: int | None) -> list["ChartSpan"]:
        """The span as spans of at most so many days, oldest first."""
        days, most = self.days, most or len(self.days)
        return [ChartSpan(self.slug, days[i], days[i : i + most][-1]) for i in range(0, len(days), most)]

    def overlaps(self, other: "ChartSpan") -> bool:
        return self.slug == other.slug and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.slug} {self.first}" + ("" if self.first == self.last else f" to {self.last}")


def chart_days(settings: Settings) -> dg.MultiPartitionsDefinition:
    """Chart x day. The charts are static, so a chart is a partition as soon as it stands in charts.yaml; today
    counts, for some charts are published on their day."""
    first = min(chart.first_date for chart in settings.charts.values())
    return dg.MultiPartitionsDefinition(
        {
            "chart": dg.StaticPartitionsDefinition(list(settings.slugs)),
            "day": dg.DailyPartitionsDefinition(start_date=str(first), end_offset=1),
        }
    )


def partition_key(slug: str, day: date) -> str:
    """`global-28|2026-11-20`: the dimensions in the order of their names, as Dagster joins them."""
    return f"{slug}|{day}"


def parse_key(key: str) -> tuple[str, date]:
    slug, _, day = key.rpartition("|")
    return slug, date.fromisoformat(day)


def span_of_key(key: str) -> ChartSpan:
    """One chart-day as a span."""
    slug, day = parse_key(key)
    return ChartSpan(slug, day, day)


def spans_of(keys: Iterable[str]) -> list[ChartSpan]:
    """The keys as few spans of consecutive days, by chart."""
    days: dict[str, list[date]] = {}
    for slug, day in map(parse_key, keys):
        days.setdefault(slug, []).append(day)
    return [span for slug, of_chart in days.items() for span in spans_over(slug, of_chart)]


def spans_over(slug: str, days: Iterable[date], published: Iterable[date] | None = None) -> list[ChartSpan]:
    """The days as few spans of consecutive ones. With `published`, days also follow one another when nothing
    published lies between them: a weekly chart's Mondays are one span."""
    wanted = sorted(set(days))
    others = None if published is None else sorted(set(published) - set(wanted))
    spans: list[ChartSpan] = []
    for day in wanted:
        last = spans[-1].last if spans else None
        if last is not None and (day == last + ONE_DAY or (others is not None and not _any_between(others, last, day))):
            spans[-1] = ChartSpan(slug, spans[-1].first, day)
        else:
            spans.append(ChartSpan(slug, day, day))
    return spans


def _any_between(days: Sequence[date], after: date, before: date) -> bool:
    place = bisect_right(days, after)
    return place < len(days) and days[place] < before


def span_of_tags(tags: Mapping[str, str]) -> ChartSpan | None:
    """What a run works on, read from Dagster's own tags, so that runs from the UI, the CLI and backfills count."""
    start = tags.get(RANGE_START_TAG) or tags.get(PARTITION_TAG)
    end = tags.get(RANGE_END_TAG) or start
    if not start or not end or "|" not in start:
        return None
    (slug, first), (_, last) = parse_key(start), parse_key(end)
    return ChartSpan(slug, first, last)
