"""What a fan-out tells of its days, and how long it keeps others from saving."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier, Event

import pytest
from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import UnexpectedPayload
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.errors import StorageError, StorageFull, ValueOutOfRange
from soundcharts_pipeline.storage.queries.chart_states import calls_of_runs, progress_of_runs
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext, Unwatched
from soundcharts_pipeline.sync.fanout import fan_out
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.sync.shared_worklist import LOOKS_AT_ONCE, ClaimedQuestions
from soundcharts_pipeline.sync.worklist import Answer, Worklist
from soundcharts_pipeline_tests.support.helpers import last_days, new_context, small_chart

DAYS = [date(2026, 11, 1) + timedelta(days=n) for n in range(4)]
FULL_AT = DAYS[2]


class Days(Worklist[date, date]):
    """Days whose answer is the day; keeps what was saved."""

    noun = "days"

    def __init__(self) -> None:
        self.saved: list[date] = []

    def fetch(self, day: date) -> date:
        return day

    def save(self, _conn: Connection, answers: list[Answer[date, date]]) -> int:
        self.saved += [day for day, _ in answers]
        return len(answers)

    def subjects(self, day: date) -> list[str]:
        return [str(day)]

    def still_due(self, _conn: Connection, days: Sequence[date]) -> list[date]:
        return list(days)

    def days(self, day: date) -> list[date]:
        return [day]


class FullDisk(Days):
    """The third day cannot be saved."""

    def save(self, conn: Connection, answers: list[Answer[date, date]]) -> int:
        if any(day == FULL_AT for day, _ in answers):
            raise StorageFull("no space left")
        return super().save(conn, answers)


class Told(Unwatched):
    """Keeps what it is told, if anything."""

    def __init__(self) -> None:
        self.left_over: set[date] | None = None

    def remaining(self, days: Collection[date]) -> None:
        self.left_over = set(days)


def test_a_day_whose_answer_could_not_be_saved_is_never_called_complete(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    told = Told()
    ctx = replace(new_context(simulator, sqlite_warehouse, max_in_flight=1), watcher=told)
    with pytest.raises(StorageError):
        fan_out(ctx, DAYS, FullDisk())
    assert told.left_over is None or FULL_AT in told.left_over


def test_a_fan_out_that_cannot_even_begin_to_save_says_nothing_of_its_days(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    told = Told()
    ctx: SyncContext = replace(new_context(simulator, sqlite_warehouse), watcher=told)

    class Unreadable(Days):
        def still_due(self, _conn: Connection, _days: Sequence[date]) -> list[date]:
            raise StorageFull

    with pytest.raises(StorageError):
        fan_out(ctx, DAYS, Unreadable())
    assert told.left_over is None


def test_a_long_backlog_that_others_have_answered_is_looked_through_in_short_transactions(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    looks: list[int] = []

    class Answered(Days):
        def still_due(self, _conn: Connection, days: Sequence[date]) -> list[date]:
            looks.append(len(days))
            return []

    many = [DAYS[0] + timedelta(days=n) for n in range(100)]
    questions = ClaimedQuestions(many, Answered(), at_once=2)
    with sqlite_warehouse.write() as conn:
        questions.refill(conn)
    assert looks == [2] * LOOKS_AT_ONCE
    assert questions.is_wanting
    assert fan_out(new_context(simulator, sqlite_warehouse, max_in_flight=2), many, Answered()).calls == 0


def test_a_run_keeps_count_of_the_calls_of_each_step_and_not_of_its_questions(
    simulator: Simulator, warehouse: Warehouse
) -> None:
    ctx = replace(new_context(simulator, warehouse), run_id="run")
    # Two pages a day, and the list of days.
    slug, days = "global-28", last_days(simulator, "global-28", 3)
    for step, asked in (("first", days[:1]), ("second", days[1:])):
        sync_rankings(replace(ctx, step=step, calls_before=None), small_chart(slug), asked)
    with warehouse.read() as conn:
        done = {step: done for step, (done, _) in progress_of_runs(conn, ["run"])["run"].items()}
        calls = calls_of_runs(conn, ["run", "other"])
    assert done == {"first": 1, "second": 2}
    assert calls == {"run": simulator.counters.answered, "other": 0}
    assert calls["run"] > 2 * sum(done.values())


@pytest.mark.parametrize("bad", [TypeError("unhashable type: 'list'"), RecursionError("too deep"), KeyError("x")])
def test_an_answer_that_breaks_its_reader_is_named_and_its_siblings_are_saved(
    simulator: Simulator, sqlite_warehouse: Warehouse, bad: Exception
) -> None:
    class Breaking(Days):
        def fetch(self, day: date) -> date:
            if day == DAYS[1]:
                raise bad
            return day

    days = Breaking()
    ctx = new_context(simulator, sqlite_warehouse, max_in_flight=1)
    with pytest.raises(
        SyncIncomplete, match=f"1 of 4 days are still to do: {DAYS[1]}: .*{type(bad).__name__}"
    ) as raised:
        fan_out(ctx, DAYS, days)
    assert isinstance(raised.value.cause, UnexpectedPayload)
    assert days.saved == [DAYS[0], DAYS[2], DAYS[3]]


@pytest.mark.parametrize("bad", [ValueOutOfRange("too large"), ValueError("no"), TypeError("no")])
def test_an_answer_that_cannot_be_saved_does_not_take_those_of_its_moment_along(
    simulator: Simulator, warehouse: Warehouse, bad: Exception
) -> None:
    together = Barrier(len(DAYS))

    class Together(Days):
        def fetch(self, day: date) -> date:
            together.wait(10)
            return day

        def save(self, conn: Connection, answers: list[Answer[date, date]]) -> int:
            if any(day == DAYS[1] for day, _ in answers):
                raise bad
            return super().save(conn, answers)

    days = Together()
    with pytest.raises(SyncIncomplete, match="1 of 4 days are still to do") as raised:
        fan_out(new_context(simulator, warehouse), DAYS, days)
    assert isinstance(raised.value.cause, type(bad) if isinstance(bad, StorageError) else UnexpectedPayload)
    assert sorted(days.saved) == [DAYS[0], DAYS[2], DAYS[3]]


def test_what_is_on_its_way_is_saved_when_somebody_who_watches_fails(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    """Dagster's own database may be full or locked while ours is fine."""
    heard = Event()

    class Failing(Unwatched):
        def remaining(self, days: Collection[date]) -> None:
            heard.set()
            if len(days) < len(DAYS):
                raise OSError("disk full")

    class Late(Days):
        def fetch(self, day: date) -> date:
            assert day == DAYS[0] or heard.wait(30)
            return day

    days = Late()
    ctx = replace(new_context(simulator, sqlite_warehouse), watcher=Failing())
    with pytest.raises(OSError, match="disk full"):
        fan_out(ctx, DAYS, days)
    assert sorted(days.saved) == DAYS


def test_a_limit_that_cannot_be_asked_for_ends_the_work_after_what_is_on_its_way(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    """The account's limits live in a database, too, which threads ask before each call."""

    class NoRateGate(Days):
        def fetch(self, day: date) -> date:
            if day == DAYS[0]:
                raise StorageFull("no space left for the rate gate")
            return day

    days = NoRateGate()
    with pytest.raises(StorageFull):
        fan_out(new_context(simulator, sqlite_warehouse), DAYS, days)
    assert sorted(days.saved) == DAYS[1:]
