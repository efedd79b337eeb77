"""A backfill that Dagster gave up because charts.yaml has changed is told, with its reason and what is left to do."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.given_up import TOLD_FOR, TOLD_FOR_WITH_NOTHING_LEFT, GivenUp
from soundcharts_pipeline.monitoring.health import RunState, TaskState
from soundcharts_pipeline.orchestration.partitions import keys_of

FIRST = date(2026, 11, 1)
BEGAN, ENDED = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC)
REMOVED = "Targeted partitions for asset chart_rankings have been removed since this backfill was stored. ..."


def _days(slug: str, first: int, last: int) -> ChartDays:
    return ChartDays(slug, date(2026, 11, first), date(2026, 11, last))


def _settings(*slugs: str, first_date: date = FIRST) -> Settings:
    return Settings({slug: ChartSettings(slug=slug, name=slug, first_date=first_date) for slug in slugs})


def _run(span: ChartDays, state: TaskState, at: datetime, backfill: str = "") -> RunState:
    return RunState(
        run_id="1",
        chart=span.slug,
        first=span.first,
        last=span.last,
        state=state,
        trigger="backfill",
        backfill=backfill,
        steps=("chart_rankings",),
        created_at=at,
    )


KEYS = frozenset([*keys_of(_days("a", 1, 4)), *keys_of(_days("b", 1, 4))])
GIVEN_UP = GivenUp(backfill="xyz", keys=KEYS, began_at=BEGAN, ended_at=ENDED, said=REMOVED)


@pytest.mark.parametrize(
    ("settings", "reason", "left"),
    [
        (_settings("a"), "b is not in charts.yaml any more", "a 2026-11-01 to 2026-11-04"),
        (_settings("c"), "a, b are not in charts.yaml any more", None),
        (
            _settings("a", "b", first_date=date(2026, 11, 3)),
            "charts.yaml has no day before 2026-11-03 any more, its earliest first_date",
            "a 2026-11-03 to 2026-11-04, b 2026-11-03 to 2026-11-04",
        ),
        (
            _settings("a", "b"),
            "its daemon went by another charts.yaml at that moment",
            "a 2026-11-01 to 2026-11-04, b 2026-11-01 to 2026-11-04",
        ),
    ],
)
def test_it_is_said_what_is_gone_and_what_is_left(settings: Settings, reason: str, left: str | None) -> None:
    rest = f"launch what is left of it again: {left}" if left else "nothing else of it is left to do"
    said = GIVEN_UP.told(settings, [], ENDED)
    assert said == f"Dagster gave up backfill xyz at 2026-11-20 13:00 UTC, and its runs with it: {reason}; {rest}"


def test_other_reasons_are_dagsters_own() -> None:
    assert replace(GIVEN_UP, said="Boom\n  at line 1").reason(_settings("a", "b")) == "Boom"
    assert replace(GIVEN_UP, said="").reason(_settings("a", "b")) == "Dagster does not say why"


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        ([_run(_days("a", 1, 2), "complete", BEGAN, "xyz")], "a 2026-11-03 to 2026-11-04"),
        ([_run(_days("a", 1, 4), "failed", BEGAN, "xyz")], "a 2026-11-01 to 2026-11-04"),
        ([_run(_days("a", 1, 4), "complete", BEGAN - HOUR)], "a 2026-11-01 to 2026-11-04"),
        # Asked for since it began, however that may end.
        ([_run(_days("a", 2, 3), "pending", ENDED + HOUR, "next")], "a 2026-11-01, a 2026-11-04"),
        ([_run(_days("a", 1, 2), "canceled", ENDED), _run(_days("a", 4, 4), "complete", BEGAN, "xyz")], "a 2026-11-03"),
        ([_run(_days("b", 1, 4), "complete", ENDED + HOUR)], "a 2026-11-01 to 2026-11-04"),
    ],
)
def test_what_is_left_is_what_it_did_not_bring_and_nobody_asked_for_since(runs: list[RunState], left: str) -> None:
    assert (GIVEN_UP.told(_settings("a"), runs, ENDED) or "").endswith(f"again: {left}")


def test_it_is_told_until_all_that_was_left_is_asked_for() -> None:
    part, rest = _run(_days("a", 1, 2), "complete", ENDED + HOUR), _run(_days("a", 3, 4), "pending", ENDED + HOUR)
    assert GIVEN_UP.told(_settings("a"), [part], ENDED)
    assert GIVEN_UP.told(_settings("a"), [part, rest], ENDED) is None


def test_it_is_told_at_once_and_for_a_day_or_for_an_hour_when_nothing_is_left() -> None:
    def told(given_up: GivenUp, settings: Settings, after: timedelta) -> str:
        return given_up.told(settings, [], ENDED + after) or ""

    second = timedelta(seconds=1)
    assert "a moment ago, and its runs" in told(replace(GIVEN_UP, ended_at=None), _settings("a"), TOLD_FOR * 2)
    assert told(GIVEN_UP, _settings("a"), TOLD_FOR)
    assert not told(GIVEN_UP, _settings("a"), TOLD_FOR + second)
    assert told(GIVEN_UP, _settings("c"), TOLD_FOR_WITH_NOTHING_LEFT)
    assert not told(GIVEN_UP, _settings("c"), TOLD_FOR_WITH_NOTHING_LEFT + second)


def test_a_list_of_many_days_is_short() -> None:
    keys = frozenset(key for day in range(1, 16, 2) for key in keys_of(_days("a", day, day)))
    said = replace(GIVEN_UP, keys=keys).told(_settings("a"), [], ENDED)
    assert said is not None
    assert said.endswith("a 2026-11-01, a 2026-11-03, a 2026-11-05, a 2026-11-07, a 2026-11-09 and 3 more")
