"""Radio plays of a track, one day at a time."""

from collections.abc import Callable, Sequence

from soundcharts_pipeline.api.errors import NotFound, NotInPlan
from soundcharts_pipeline.models import AudiencePoint, Series
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.sync.answers import save_answers
from soundcharts_pipeline.sync.claimed import claimed
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.questions import Question

# The fact that the announced total of plays is the count of a day.
TOTALS_FACT = "airplay_totals_are_counts"
CHECKED_AT_MOST = 5
STATIONS = "broadcast-groups"


class Plays:
    """Counts radio plays by day, from the announced total or, where that was found wrong, from the stations."""

    def __init__(self, ctx: SyncContext, chart: ChartSettings) -> None:
        self._ctx = ctx
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
        day = question.window.start
        return Series((AudiencePoint(day, "", self._count(question.uuid, day)),))

    def _fact(self) -> str | None:
        with self._ctx.warehouse.read() as conn:
            return worklists.fact(conn, TOTALS_FACT)

    def _check(self, questions: Sequence[Question]) -> str | None:
        """Newest days first, until one has plays to compare."""
        ctx = self._ctx
        over = [q for q in questions if q.window.end < ctx.clock().date()]
        for question in reversed(over[-CHECKED_AT_MOST:]):
            day = question.window.start
            try:
                plays = ctx.client.spins(question.uuid, day)
                stations = ctx.client.spins_by_station(question.uuid, day) if plays else 0
            except (NotFound, NotInPlan):
                continue
            with ctx.warehouse.write() as conn:
                # The sum over the stations is right whatever the total is.
                save_answers(ctx, conn, [(question, Series((AudiencePoint(day, "", stations),)))])
                fact = "yes" if plays == stations else "no"
                if plays:
                    note_fact(conn, TOTALS_FACT, fact, ctx.clock())
                ctx.keep_usage(conn)
            if plays:
                return fact
        return None
