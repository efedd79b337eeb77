"""Runs that overlap and doubt their answers: what one holds back until there is evidence, the other waits for."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import date, timedelta
from threading import Barrier, Event, Thread

import pytest
from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound, SoundchartsError
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage import claims
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.evidence import Says
from soundcharts_pipeline.sync.fanout import fan_out
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.sync.scopes import Asked
from soundcharts_pipeline.sync.worklist import Answer, Worklist
from soundcharts_pipeline_tests.support.helpers import new_context

DAYS = [date(2026, 11, 1) + timedelta(days=n) for n in range(4)]
DEADLINE_SECONDS = 60


def _says(answer: date | SoundchartsError) -> tuple[Says, SoundchartsError | None, int]:
    if isinstance(answer, SoundchartsError):
        return Says.REFUSED, answer, 1
    return Says.SOMETHING if answer in (DAYS[0], DAYS[-1]) else Says.NOTHING, None, 1


class Shared(Worklist[date, date]):
    """Of days between the first and the last there is nothing; or all are refused. The first two questions are under
    way at the same moment."""

    noun = "days"
    asked: Asked[date, date] | None = Asked(
        scope_of=lambda _: "of days", uuid_of=str, says=_says, controls=lambda _conn, _day: []
    )

    def __init__(self, refusal: SoundchartsError | None) -> None:
        self.calls: list[date] = []
        self._refusal, self._done, self._begin = refusal, set[date](), Barrier(2)

    def fetch(self, day: date) -> date:
        self.calls.append(day)
        if len(self.calls) <= self._begin.parties:
            self._begin.wait(DEADLINE_SECONDS)
        if self._refusal is not None:
            raise self._refusal
        return day

    def save(self, _conn: Connection, answers: list[Answer[date, date]]) -> int:
        self._done.update(day for day, _ in answers)
        return len(answers)

    def subjects(self, day: date) -> list[str]:
        return [str(day)]

    def still_due(self, _conn: Connection, days: Sequence[date]) -> list[date]:
        return [day for day in days if day not in self._done]

    def days(self, day: date) -> list[date]:
        return [day]


@pytest.mark.parametrize("refusal", [None, NotFound("no such thing")], ids=["two have nothing", "all are refused"])
def test_runs_that_hold_what_the_other_waits_for_both_come_to_their_end(
    simulator: Simulator, database_url: str, refusal: SoundchartsError | None
) -> None:
    worklist = Shared(refusal)

    def run(days: Sequence[date]) -> None:
        # Where everybody is refused, nothing is believed.
        with closing(Warehouse(database_url)) as warehouse, suppress(SyncIncomplete):
            fan_out(new_context(simulator, warehouse, max_in_flight=1), days, worklist)

    runs = [Thread(target=run, args=[days], daemon=True) for days in (DAYS, DAYS[::-1])]
    for one in runs:
        one.start()
    for one in runs:
        one.join(DEADLINE_SECONDS)
    assert [one.is_alive() for one in runs] == [False, False]
    if refusal is None:
        assert sorted(worklist.calls) == DAYS


class Waited(Shared):
    """The first two days are refused; of the others, which somebody else asks, there is something. `let_go` is set once
    the refusals are saved."""

    def __init__(self) -> None:
        super().__init__(None)
        self.let_go = Event()
        self.asked = Asked(
            scope_of=lambda _: "of days", uuid_of=str, says=_says, controls=lambda _conn, _day: sorted(self._done)[-1:]
        )

    def fetch(self, day: date) -> date:
        self.calls.append(day)
        if day in DAYS[:2]:
            raise NotFound("no such thing")
        return day

    def save(self, _conn: Connection, answers: list[Answer[date, date]]) -> int:
        self._done.update(day for day, _ in answers)
        if self._done >= set(DAYS[:2]):
            self.let_go.set()
        return len(answers)

    def answered_by_others(self, days: Sequence[date]) -> None:
        self._done.update(days)


def test_refusals_of_a_run_that_waits_are_judged_once_others_have_answered(
    simulator: Simulator, warehouse: Warehouse
) -> None:
    worklist, others, holder = Waited(), DAYS[2:], claims.new_holder()
    with warehouse.write() as conn:
        claims.take(conn, list(map(str, others)), holder)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(fan_out, new_context(simulator, warehouse, max_in_flight=2), DAYS, worklist)
        assert worklist.let_go.wait(DEADLINE_SECONDS)
        worklist.answered_by_others(others)
        with warehouse.write() as conn:
            claims.give_back(conn, list(map(str, others)), holder)
        assert run.result(DEADLINE_SECONDS).remaining == 0
    # The last call is about somebody who is known to have something.
    assert sorted(worklist.calls) == [*DAYS[:2], DAYS[-1]]
