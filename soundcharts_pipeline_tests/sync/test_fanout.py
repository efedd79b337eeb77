"""What a fan-out tells of its days, and how long it keeps others from saving."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.errors import StorageError, StorageFull
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.claimed import LOOKS_AT_ONCE, ClaimedQuestions
from soundcharts_pipeline.sync.context import SyncContext, Unwatched
from soundcharts_pipeline.sync.fanout import Answer, Task, fan_out
from soundcharts_pipeline_tests.helpers import new_context

DAYS = [date(2026, 11, 1) + timedelta(days=n) for n in range(4)]
FULL_AT = DAYS[2]


class Told(Unwatched):
    """Keeps what it is told, if anything."""

    def __init__(self) -> None:
        self.left_over: set[date] | None = None

    def left(self, days: Collection[date]) -> None:
        self.left_over = set(days)


def test_a_day_whose_answer_could_not_be_saved_is_never_called_complete(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    told = Told()
    ctx = replace(new_context(simulator, sqlite_warehouse, max_in_flight=1), watcher=told)
    with pytest.raises(StorageError):
        fan_out(ctx, DAYS, _task())
    assert told.left_over is None or FULL_AT in told.left_over


def test_a_fan_out_that_cannot_even_begin_to_save_says_nothing_of_its_days(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    told = Told()
    ctx: SyncContext = replace(new_context(simulator, sqlite_warehouse), watcher=told)

    def unreadable(_conn: Connection, _days: Sequence[date]) -> list[date]:
        raise StorageFull

    with pytest.raises(StorageError):
        fan_out(ctx, DAYS, replace(_task(), still_due=unreadable))
    assert told.left_over is None


def test_a_long_backlog_that_others_have_answered_is_looked_through_in_short_transactions(
    simulator: Simulator, sqlite_warehouse: Warehouse
) -> None:
    looks: list[int] = []

    def answered(_conn: Connection, days: Sequence[date]) -> list[date]:
        looks.append(len(days))
        return []

    many = [DAYS[0] + timedelta(days=n) for n in range(100)]
    questions = ClaimedQuestions(many, subjects=_subjects, still_due=answered, at_once=2)
    with sqlite_warehouse.write() as conn:
        questions.refill(conn)
    assert looks == [2] * LOOKS_AT_ONCE
    assert questions.is_wanting
    task = replace(_task(), still_due=answered)
    assert fan_out(new_context(simulator, sqlite_warehouse, max_in_flight=2), many, task).calls == 0


def _task() -> Task[date, date]:
    return Task(
        noun="days",
        fetch=lambda day: day,
        save=_save,
        subjects=_subjects,
        still_due=lambda _, days: list(days),
        days=lambda day: [day],
    )


def _subjects(day: date) -> list[str]:
    return [str(day)]


def _save(_conn: Connection, answers: list[Answer[date, date]]) -> int:
    if any(day == FULL_AT for day, _ in answers):
        raise StorageFull("no space left")
    return len(answers)
