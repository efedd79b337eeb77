"""Radio plays of a track, one day at a time."""

from collections.abc import Sequence

from soundcharts_pipeline.api.errors import NotFound, NotInPlan
from soundcharts_pipeline.models import AudiencePoint, Series
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.questions import Question

# The fact that the announced total of plays is the count of a day.
TOTALS_FACT = "airplay_totals_are_counts"
CHECKED_AT_MOST = 5


class Plays:
    """Counts radio plays by day, from the announced total or, where that was found wrong, from the stations."""

    def __init__(self, ctx: SyncContext, source: str) -> None:
        self._ctx, self._source = ctx, source
        self._counted: dict[Question, int] = {}

    def check_totals(self, questions: Sequence[Question]) -> list[Question]:
        """Once per warehouse: compare one day's total with the sum over its stations (a call per 100 of them).

        The total is inferred from the envelope and not documented. A day that still goes on proves nothing.
        Returns the questions, those that the check has answered first: they are saved before anything can go wrong.
        """
        if self._source == "broadcast-groups":
            return list(questions)
        with self._ctx.warehouse.read() as conn:
            fact = worklists.fact(conn, TOTALS_FACT)
        over = [q for q in questions if q.window.end < self._ctx.clock().date()]
        for question in reversed(over[-CHECKED_AT_MOST:] if fact is None else ()):
            try:
                plays = self._counted[question] = self._ctx.client.spins(question.uuid, question.window.start)
                stations = self._ctx.client.spins_by_station(question.uuid, question.window.start) if plays else 0
            except (NotFound, NotInPlan):
                continue
            if plays:
                fact = "yes" if plays == stations else "no"
                with self._ctx.warehouse.write() as conn:
                    note_fact(conn, TOTALS_FACT, fact, self._ctx.clock())
                break
        if fact == "no":
            self._source = "broadcast-groups"
            self._counted.clear()
        return [*self._counted, *(q for q in questions if q not in self._counted)]

    def fetch(self, question: Question) -> Series:
        day = question.window.start
        client = self._ctx.client
        count = client.spins_by_station if self._source == "broadcast-groups" else client.spins
        plays = self._counted[question] if question in self._counted else count(question.uuid, day)
        return Series((AudiencePoint(day, "", plays),))
