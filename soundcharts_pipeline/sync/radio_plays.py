"""Radio plays of a track, one day at a time."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound, NotInPlan
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import AudiencePoint, Series
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.series_saves import save_answers
from soundcharts_pipeline.sync.series_worklist import Question
from soundcharts_pipeline.sync.shared_worklist import claimed

# The fact that the announced total of plays is the count of a day.
TOTALS_FACT = "airplay_totals_are_counts"
CHECKED_AT_MOST = 5
STATIONS = "broadcast-groups"


class Plays:
    """Counts radio plays by day, from the announced total or, where that was found wrong, from the stations."""

    def __init__(self, ctx: SyncContext, chart: ChartSettings) -> None:
        self._ctx = ctx
        self._known: dict[tuple[str, date], int | NotFound | NotInPlan] = {}
        self._count = ctx.client.spins_by_station if chart.airplay_source == STATIONS else ctx.client.spins

    def check_totals(self, find_questions: Callable[[], Sequence[Question]]) -> None:
        """Once per warehouse: compare one day's total with the sum over its stations (a call per 100 of them).

        The total is inferred from the envelope and not documented. A day that still goes on proves nothing. What
        the check counts on the way is not asked again.
        """
        if self._count == self._ctx.client.spins_by_station:
            return
        fact = self._fact()
        if fact is None:
            with claimed(self._ctx.warehouse, TOTALS_FACT):
                fact = self._fact()
                fact = self._check(find_questions()) if fact is None else fact
        if fact == "no":
            self._count = self._ctx.client.spins_by_station

    def fetch(self, question: Question) -> Series:
        """The day's plays; what the check has asked is not asked again. Raises as the client does."""
        day = question.window.start
        known = self._known.get((question.uuid, day))
        if isinstance(known, NotFound | NotInPlan):
            raise known
        return _spins(question, self._count(question.uuid, day) if known is None else known)

    def _fact(self) -> str | None:
        with self._ctx.warehouse.read() as conn:
            return worklists.fact(conn, TOTALS_FACT)

    def _check(self, questions: Sequence[Question]) -> str | None:
        """Newest days first, until one has plays to compare."""
        client, over = self._ctx.client, [q for q in questions if q.window.end < self._ctx.clock().date()]
        for question in reversed(over[-CHECKED_AT_MOST:]):
            asked = question.uuid, question.window.start
            total = self._known[asked] = self._answer(client.spins, question)
            if not isinstance(total, int):
                return None  # whether that is so for everybody, the fan-out finds out
            if not total:
                continue
            stations = self._answer(client.spins_by_station, question)
            if not isinstance(stations, int):
                return None  # refused, as they would be for the next day
            fact = "yes" if total == stations else "no"
            # The sum over the stations is right whatever the total is.
            self._ctx.save(partial(self._keep, (question, _spins(question, stations)), fact))
            return fact
        return None

    def _keep(self, answer: tuple[Question, Series], fact: str, conn: Connection) -> None:
        save_answers(self._ctx, conn, [answer])
        note_fact(conn, TOTALS_FACT, fact, self._ctx.clock())
        self._ctx.keep_usage(conn)

    def _answer(self, count: Callable[[str, date], int], question: Question) -> int | NotFound | NotInPlan:
        try:
            return count(question.uuid, question.window.start)
        except (NotFound, NotInPlan) as error:
            return error


def _spins(question: Question, count: int) -> Series:
    return Series((AudiencePoint(question.window.start, "", count),))
