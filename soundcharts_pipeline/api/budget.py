"""Our own cap on what one run may cost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from soundcharts_pipeline.api.errors import BudgetSpent
from soundcharts_pipeline.api.usage import UsageMeter


class RunBudget:
    """At most `limit` billed calls, as the meter counts them; None: as many as it takes. Shared by all threads."""

    def __init__(self, limit: int | None, usage: UsageMeter) -> None:
        self._limit = limit
        self._usage = usage
        self._returned = threading.Condition()
        self._under_way = 0

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """Room for one billed call. The last ones wait for those under way: some may come back unbilled. Raises
        BudgetSpent."""
        with self._returned:
            while self._limit is not None and self._usage.answered + self._under_way >= self._limit:
                if self._usage.answered >= self._limit:
                    raise BudgetSpent(
                        f"the budget of this run is spent: {self._usage.answered:,} of {self._limit:,} billed calls "
                        "are made; what was saved stays, a later run resumes. To do more in one run set a larger "
                        "SOUNDCHARTS_RUN_BUDGET (of one run: --budget, or `run_budget` in its configuration)"
                    )
                self._returned.wait()
            self._under_way += 1
        try:
            yield
        finally:
            with self._returned:
                self._under_way -= 1
                self._returned.notify_all()
