"""Ask a worklist's questions side by side and save each answer as soon as it is there."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    NetworkError,
    NotFound,
    NotInPlan,
    QuotaExhausted,
    RateLimited,
    SoundchartsError,
)
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.report import SyncIncomplete, SyncReport

# After these no other question would fare better.
STOP_AT_ONCE = (AuthenticationError, NetworkError, QuotaExhausted, RateLimited)
# So many failures in a row, with no answer between them, are the server's state and not the entities'.
FAILURES_IN_A_ROW = 10

Q = TypeVar("Q")
A = TypeVar("A")
Answer = tuple[Q, A | NotFound | NotInPlan]


def fan_out(
    ctx: SyncContext,
    noun: str,
    questions: Sequence[Q],
    fetch: Callable[[Q], A],
    save: Callable[[Connection, list[Answer[Q, A]]], int],
) -> SyncReport:
    """Every question answered and saved; raises SyncIncomplete when some are not, after saving the others.

    At most `ctx.max_in_flight` questions are fetched or wait to be saved, so a killed process repeats no more
    calls than that. `save` runs in the calling thread, all answers of a moment in one transaction, and returns
    the number of rows. NotFound and NotInPlan are answers; other errors leave their question for a later run.
    """
    return _FanOut(ctx, noun, questions, fetch, save).run()


class _FanOut(Generic[Q, A]):
    def __init__(
        self,
        ctx: SyncContext,
        noun: str,
        questions: Sequence[Q],
        fetch: Callable[[Q], A],
        save: Callable[[Connection, list[Answer[Q, A]]], int],
    ) -> None:
        self._ctx, self._noun, self._fetch, self._save = ctx, noun, fetch, save
        self._waiting = deque(questions)
        self._total = len(questions)
        self._running: dict[Future[A], Q] = {}
        self._errors: list[SoundchartsError] = []
        self._in_a_row = 0
        self._stopped = False
        self._report = SyncReport(asked=len(questions))
        self._calls_before = ctx.client.usage.calls

    def run(self) -> SyncReport:
        self._store([])  # the total is known from here on, also when there is nothing to ask
        with ThreadPoolExecutor(self._ctx.max_in_flight, thread_name_prefix="soundcharts") as pool:
            while self._running or (self._waiting and not self._stopped):
                while self._waiting and not self._stopped and len(self._running) < self._ctx.max_in_flight:
                    question = self._waiting.popleft()
                    self._running[pool.submit(self._fetch, question)] = question
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                self._store([answer for future in done if (answer := self._take(future)) is not None])
        return self._finish()

    def _take(self, future: Future[A]) -> Answer[Q, A] | None:
        question = self._running.pop(future)
        error = future.exception()
        if error is None:
            self._in_a_row = 0
            return question, future.result()
        if isinstance(error, NotFound | NotInPlan):
            self._in_a_row = 0
            return question, error
        if not isinstance(error, SoundchartsError):
            raise error
        self._errors.append(error)
        self._in_a_row += 1
        self._stopped |= isinstance(error, STOP_AT_ONCE) or self._in_a_row >= FAILURES_IN_A_ROW
        return None

    def _store(self, answers: list[Answer[Q, A]]) -> None:
        report = self._report
        with self._ctx.warehouse.write() as conn:
            if answers:
                report.rows += self._save(conn, answers)
            report.not_found += sum(isinstance(answer, NotFound) for _, answer in answers)
            report.not_in_plan += sum(isinstance(answer, NotInPlan) for _, answer in answers)
            left = len(self._waiting) + len(self._running) + len(self._errors)
            self._ctx.keep_books(conn, self._total - left, self._total)

    def _finish(self) -> SyncReport:
        usage, report = self._ctx.client.usage, self._report
        report.calls = usage.calls - self._calls_before
        report.quota_remaining = usage.quota_remaining
        report.remaining = len(self._waiting) + len(self._errors)
        if not self._errors:
            return report
        # The error that stopped the work says more than one that it met on the way.
        cause = next((e for e in self._errors if isinstance(e, STOP_AT_ONCE)), self._errors[0])
        raise still_to_do(self._noun, cause, report)


def still_to_do(noun: str, cause: SoundchartsError, report: SyncReport) -> SyncIncomplete:
    """The end of a sync that could not answer all it asked."""
    return SyncIncomplete(
        f"{report.remaining} of {report.asked} {noun} are still to do: {cause}. "
        "What was answered is saved; run it again to ask for the rest alone.",
        cause=cause,
        report=report,
    )
