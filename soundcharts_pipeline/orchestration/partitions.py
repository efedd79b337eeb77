"""A partition is one chart on one day, everywhere. Every partitions definition and its arithmetic."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

import dagster as dg

from soundcharts_pipeline.clock import DAYS_AHEAD
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.models import ONE_DAY, ChartDays
from soundcharts_pipeline.wording import day_named

# Dagster's documented run tags: one partition, or a range of them in one run.
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def chart_days(settings: Settings, *, days_from_now: int = 0) -> dg.MultiPartitionsDefinition:
    """Chart x day. The charts are static, so a chart is a partition as soon as it stands in charts.yaml; their order is
    that of their slugs, so that another order in the file changes no range of a queued run. A week after today counts,
    for some charts are dated by the end of their week. `days_from_now`: from today by the machine's clock, which
    Dagster goes by, to the day that counts as today."""
    start, ahead = str(first_day(settings)), 1 + DAYS_AHEAD + days_from_now
    return dg.MultiPartitionsDefinition(
        {
            "chart": dg.StaticPartitionsDefinition(sorted(settings.slugs)),
            "day": dg.DailyPartitionsDefinition(start_date=start, end_offset=ahead),
        }
    )


def first_day(settings: Settings) -> date:
    """The first day of every chart's partitions: no earlier one, for "All" in Dagster's dialog is paid for."""
    return min(chart.first_date for chart in settings.charts.values())


def partition_key(slug: str, day: date) -> str:
    """`global-28|2026-11-20`: the dimensions in the order of their names, as Dagster joins them."""
    return f"{slug}|{day}"


def keys_of(days: ChartDays) -> list[str]:
    """The partition keys of a chart's days, oldest first."""
    return [partition_key(days.slug, day) for day in days.days]


def range_tags(days: ChartDays) -> dict[str, str]:
    """Run tags that make one run of all of them."""
    return {RANGE_START_TAG: partition_key(days.slug, days.first), RANGE_END_TAG: partition_key(days.slug, days.last)}


def parse_key(key: str) -> tuple[str, date]:
    slug, _, day = key.rpartition("|")
    return slug, day_named(day)


def is_chart_day(key: str) -> bool:
    """Whether it is a partition key of ours, and not of another project on the same instance."""
    try:
        return bool(parse_key(key)[0])
    except ValueError:
        return False


def span_of_key(key: str) -> ChartDays:
    """One chart-day as a span."""
    slug, day = parse_key(key)
    return ChartDays(slug, day, day)


def spans_of(keys: Iterable[str]) -> list[ChartDays]:
    """The keys as few spans of consecutive days, by chart."""
    days: dict[str, list[date]] = {}
    for slug, day in map(parse_key, keys):
        days.setdefault(slug, []).append(day)
    return [span for slug, of_chart in days.items() for span in spans_over(slug, of_chart)]


def spans_over(slug: str, days: Iterable[date], published: Iterable[date] | None = None) -> list[ChartDays]:
    """The days as few spans of consecutive ones. With `published`, days also follow one another when nothing
    published lies between them: a weekly chart's Mondays are one span."""
    wanted = sorted(set(days))
    others = None if published is None else sorted(set(published) - set(wanted))
    spans: list[ChartDays] = []
    for day in wanted:
        last = spans[-1].last if spans else None
        if last is not None and (day == last + ONE_DAY or (others is not None and not _any_between(others, last, day))):
            spans[-1] = ChartDays(slug, spans[-1].first, day)
        else:
            spans.append(ChartDays(slug, day, day))
    return spans


def _any_between(days: Sequence[date], after: date, before: date) -> bool:
    place = bisect_right(days, after)
    return place < len(days) and days[place] < before


def spans_of_tags(tags: Mapping[str, str], slugs: Collection[str]) -> list[ChartDays]:
    """What a run works on, read from Dagster's own tags, so that runs from the UI, the CLI and backfills count; none
    for a run of something else, and for a range that ends before it begins: it is no chart's run. A range that begins
    and ends with different charts is Dagster's rectangle: these two and those of `slugs` that stand between them in
    the order of the partitions, on each of the days."""
    start = tags.get(RANGE_START_TAG) or tags.get(PARTITION_TAG, "")
    end = tags.get(RANGE_END_TAG) or start
    if not (is_chart_day(start) and is_chart_day(end)):
        return []
    (slug, first), (last_slug, last) = parse_key(start), parse_key(end)
    if last_slug < slug or last < first:
        return []
    between = {one for one in slugs if slug < one < last_slug}
    return [ChartDays(one, first, last) for one in sorted({slug, last_slug, *between})]
