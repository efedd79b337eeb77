"""Radio plays of a track, one day at a time."""

from collections.abc import Callable, Sequence
from datetime import date

from soundcharts_pipeline.api.errors import NotFound, NotInPlan
from soundcharts_pipeline.models import AudiencePoint, Series
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.sync.answers import save_answers
from soundcharts_pipeline.sync.claimed import claimed
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.questions import Question
from soundcharts_pipeline.sync.report import SyncReport

# The fact that the announced total of plays is the count of a day.
TOTALS_FACT = "airplay_totals_are_counts"
CHECKED_AT_MOST = 5
STATIONS = "broadcast-groups"


class Plays:
    """Counts radio plays by day, from the announced total or, where that was found wrong, from the stations."""

    def __init__(self, ctx: SyncContext, chart: ChartSettings) -> None:
        self._ctx = ctx
        self._refused: list[NotFound | NotInPlan] = []
        self._count = ctx.client.spins_by_station if chart.airplay_source == STATIONS else ctx.client.spins

    def check_totals(self, find_questions: Callable[[], Sequence[Question]]) -> None:
        """Once per warehouse: compare one day's total with the sum over its stations (a call per 100 of them).

        The total is inferred from the envelope and not documented. A day that still goes on proves nothing. What
        the check counts on the way is saved: it is not asked again.
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
        return _spins(question, self._count(question.uuid, question.window.start))

    def _fact(self) -> str | None:
        with self._ctx.warehouse.read() as conn:
            return worklists.fact(conn, TOTALS_FACT)

    def _check(self, questions: Sequence[Question]) -> str | None:
        """Newest days first, until one has plays to compare."""
        ctx = self._ctx
        over = [q for q in questions if q.window.end < ctx.clock().date()]
        for question in reversed(over[-CHECKED_AT_MOST:]):
            total = self._answer(ctx.client.spins, question)
            stations = self._answer(ctx.client.spins_by_station, question) if isinstance(total, int) and total else None
            # The sum over the stations is right whatever the total is.
            counted = stations if isinstance(stations, int) else total
            fact = ("yes" if total == stations else "no") if isinstance(stations, int) else None
            if not isinstance(counted, int):
                self._refused.append(counted)
            with ctx.warehouse.write() as conn:
                answer = _spins(question, counted) if isinstance(counted, int) else counted
                save_answers(ctx, conn, [(question, answer)])
                if fact:
                    note_fact(conn, TOTALS_FACT, fact, ctx.clock())
                ctx.keep_usage(conn)
            if stations is not None:
                return fact  # also where the stations are refused: they would be for the next day
        return None

    def add_refused(self, report: SyncReport) -> SyncReport:
        """The report with what the check met."""
        report.not_found += sum(isinstance(error, NotFound) for error in self._refused)
        report.not_in_plan += sum(isinstance(error, NotInPlan) for error in self._refused)
        return report

    def _answer(self, count: Callable[[str, date], int], question: Question) -> int | NotFound | NotInPlan:
        try:
            return count(question.uuid, question.window.start)
        except (NotFound, NotInPlan) as error:
            return error


def _spins(question: Question, count: int) -> Series:
    return Series((AudiencePoint(question.window.start, "", count),))
