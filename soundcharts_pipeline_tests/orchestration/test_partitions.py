"""Spans: the days asked, all of them and no others, in as few runs as there are gaps."""

import itertools
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partitions import (
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    chart_days,
    keys_of,
    parse_key,
    partition_key,
    range_tags,
    spans_of,
    spans_of_tags,
    spans_over,
)

ONE_DAY = timedelta(days=1)
FIRST = date(2025, 12, 20)
SLUGS = ["global-28", "top-100-global", "a_b.c"]

# Start and end of a range: of one chart, and of two, by their days and by their slugs.
REVERSED = [("b|2026-11-09", "b|2026-11-06"), ("b|2026-11-09", "d|2026-11-06"), ("d|2026-11-06", "b|2026-11-09")]

some_days = st.integers(0, 80).map(lambda n: FIRST + timedelta(days=n))
slugs = st.sampled_from(SLUGS)
chart_spans = st.builds(
    lambda slug, first, length: ChartDays(slug, first, first + timedelta(days=length)),
    slugs,
    some_days,
    st.integers(0, 40),
)


@given(st.sets(st.tuples(slugs, some_days)))
def test_spans_hold_exactly_the_chart_days_asked(asked: set[tuple[str, date]]) -> None:
    spans = spans_of(partition_key(slug, day) for slug, day in asked)
    held = [(span.slug, day) for span in spans for day in span.days]
    assert len(held) == len(set(held))
    assert set(held) == asked


@given(st.sets(st.tuples(slugs, some_days)))
def test_spans_are_as_few_as_there_are_gaps(asked: set[tuple[str, date]]) -> None:
    begins = [(slug, day) for slug, day in asked if (slug, day - ONE_DAY) not in asked]
    spans = spans_of(partition_key(slug, day) for slug, day in asked)
    assert sorted((span.slug, span.first) for span in spans) == sorted(begins)


@given(st.sets(some_days), st.sets(some_days))
def test_with_published_days_spans_hold_the_days_asked_and_no_other_published_one(
    asked: set[date], published: set[date]
) -> None:
    spans = spans_over("global-28", asked, published)
    held = {day for span in spans for day in span.days}
    assert asked <= held
    assert not (held - asked) & published
    assert all(span.first in asked and span.last in asked for span in spans)


@given(st.sets(some_days, min_size=1), st.sets(some_days))
def test_two_spans_are_apart_because_a_published_day_lies_between(asked: set[date], published: set[date]) -> None:
    spans = spans_over("global-28", asked, published)
    for one, next_one in itertools.pairwise(spans):
        assert any(one.last < day < next_one.first for day in published - asked)


@given(st.integers(1, 30))
def test_the_days_of_a_weekly_chart_are_one_span(weeks: int) -> None:
    fridays = [FIRST + timedelta(days=7 * n) for n in range(weeks)]
    assert spans_over("tiktok-weekly-songs", fridays, fridays) == [
        ChartDays("tiktok-weekly-songs", fridays[0], fridays[-1])
    ]


@given(chart_spans)
def test_a_span_comes_back_from_the_tags_of_its_run(span: ChartDays) -> None:
    assert spans_of_tags(range_tags(span), ()) == [span]
    assert spans_of_tags({PARTITION_TAG: keys_of(span)[0]}, ()) == [ChartDays(span.slug, span.first, span.first)]


def test_tags_of_other_runs_are_no_span() -> None:
    assert spans_of_tags({}, ()) == []
    assert spans_of_tags({PARTITION_TAG: "2026-11-20"}, ()) == []
    assert spans_of_tags({PARTITION_TAG: "warehouse|oslo"}, ()) == []


def test_a_range_between_two_charts_is_every_chart_between_them() -> None:
    last = FIRST + timedelta(days=1)
    tags = {RANGE_START_TAG: partition_key("b", FIRST), RANGE_END_TAG: partition_key("d", last)}
    # In whichever order the file has them, and though it does not have them all any more.
    for slugs in (["a", "b", "c", "d", "e"], ["e", "c", "d", "a", "b"], ["a", "c", "d"], ["c"]):
        assert spans_of_tags(tags, slugs) == [ChartDays(slug, FIRST, last) for slug in "bcd"]


@pytest.mark.parametrize(("start", "end"), REVERSED)
def test_a_range_that_ends_before_it_begins_is_no_span(start: str, end: str) -> None:
    assert spans_of_tags({RANGE_START_TAG: start, RANGE_END_TAG: end}, ["b", "c", "d"]) == []


@given(chart_spans, chart_spans)
def test_spans_overlap_when_they_share_a_chart_day(one: ChartDays, other: ChartDays) -> None:
    assert one.overlaps(other) == bool(set(keys_of(one)) & set(keys_of(other)))


@given(slugs, some_days)
def test_a_key_is_made_of_its_chart_and_day(slug: str, day: date) -> None:
    assert parse_key(partition_key(slug, day)) == (slug, day)


@pytest.mark.parametrize("slug", ["global-28", "a_b.c"])
def test_dagster_joins_the_dimensions_as_we_do(slug: str) -> None:
    key = dg.MultiPartitionKey({"day": "2026-11-20", "chart": slug})
    assert partition_key(slug, date(2026, 11, 20)) == key


def test_every_chart_has_a_partition_for_every_day_from_the_earliest_first_date_to_a_week_after_today() -> None:
    charts = {
        slug: ChartSettings(slug=slug, name=slug, first_date=first)
        for slug, first in (("global-28", date(2026, 10, 1)), ("a_b.c", date(2026, 9, 1)))
    }
    now = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
    keys = set(chart_days(Settings(charts)).get_partition_keys(current_time=now))
    days = [date(2026, 9, 1) + timedelta(days=n) for n in range(88)]
    assert days[-1] == date(2026, 11, 27)
    assert keys == {partition_key(slug, day) for slug in charts for day in days}
