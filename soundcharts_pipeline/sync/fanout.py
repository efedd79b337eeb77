"""Ask a worklist's questions side by side and save each answer as soon as it is there."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from time import sleep
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
from soundcharts_pipeline.storage.interrupts import deferred_interrupts
from soundcharts_pipeline.sync.claimed import LOOK_AGAIN_SECONDS, ClaimedQuestions
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.pace import LINE_SECONDS, Pace
from soundcharts_pipeline.sync.report import SyncIncomplete, SyncReport

# After these no other question would fare better.
STOP_AT_ONCE = (AuthenticationError, NetworkError, QuotaExhausted, RateLimited)
# So many failures in a row, with no answer between them, are the server's state and not the entities'.
FAILURES_IN_A_ROW = 10
# What is in flight when a run is interrupted is paid for; it is waited for so long, and saved.
LAST_ANSWERS_SECONDS = 5.0

Q = TypeVar("Q")
A = TypeVar("A")
Answer = tuple[Q, A | NotFound | NotInPlan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Generic[Q, A]):
    """How the questions of one worklist are asked and their answers saved.

    `save` runs in the calling thread, all answers of a moment in one transaction, and returns the number of rows.
    `subjects` names what a question asks about, for runs that overlap; `still_due` leaves out what they have answered.
    `days` are the days of the worklist that need the answer; `also_left` are days that lack something else.
    """

    noun: str
    fetch: Callable[[Q], A]
    save: Callable[[Connection, list[Answer[Q, A]]], int]
    subjects: Callable[[Q], Sequence[str]]
    still_due: Callable[[Connection, Sequence[Q]], list[Q]]
    days: Callable[[Q], Collection[date]]
    also_left: Callable[[], Collection[date]] = tuple


def fan_out(ctx: SyncContext, questions: Sequence[Q], task: Task[Q, A]) -> SyncReport:
    """Every question answered and saved; raises SyncIncomplete when some are not, after saving the others.

    At most `ctx.max_in_flight` questions are fetched or wait to be saved, so a killed process repeats no more
    calls than that, and memory holds no more answers, however long the worklist is. NotFound and NotInPlan are
    answers; other errors leave their question for a later run.
    """
    return _FanOut(ctx, questions, task).run()


class _FanOut(Generic[Q, A]):
    def __init__(self, ctx: SyncContext, questions: Sequence[Q], task: Task[Q, A]) -> None:
        self._ctx, self._task = ctx, task
        self._total = len(questions)
        self._questions = ClaimedQuestions(
            questions, subjects=task.subjects, still_due=task.still_due, at_once=ctx.max_in_flight
        )
        self._running: dict[Future[A], Q] = {}
        self._errors: list[tuple[Q, SoundchartsError]] = []
        self._in_a_row = 0
        self._stopped = False
        self._in_doubt = True
        self._report = SyncReport(asked=len(questions))
        self._calls_before = ctx.client.usage.calls
        self._pace = Pace(task.noun, self._total)

    def run(self) -> SyncReport:
        try:
            self._store([], [], renew=False)  # the total is known from here on, also when there is nothing to ask
            self._in_doubt = False
            with ThreadPoolExecutor(self._ctx.max_in_flight, thread_name_prefix="soundcharts") as pool:
                try:
                    while self._running or (len(self._questions) and not self._stopped):
                        with deferred_interrupts():
                            self._submit(pool)
                        self._take_answers()
                except BaseException as error:
                    if not isinstance(error, Exception):  # an interrupt: Ctrl-C, a run that is cancelled
                        self._stopped = True
                        wait(self._running, timeout=LAST_ANSWERS_SECONDS)
                        self._take_answers()
                    raise
        finally:
            if not self._in_doubt:
                self._ctx.watcher.left(self._days_left())
        return self._finish()

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        ready = self._questions.ready
        while ready and not self._stopped and len(self._running) < self._ctx.max_in_flight:
            question = ready.popleft()
            self._running[pool.submit(self._task.fetch, question)] = question

    def _take_answers(self) -> None:
        is_wanting = self._questions.is_wanting and not self._stopped
        if not self._running and not self._stopped and not is_wanting:
            sleep(LOOK_AGAIN_SECONDS)  # others hold all that is left
        done, _ = wait(self._running, timeout=0 if is_wanting else LINE_SECONDS, return_when=FIRST_COMPLETED)
        pulse = self._pace.is_due()
        with deferred_interrupts():
            # Until its answer is saved, a question that is over is neither left nor done: nobody may be told that
            # its day is complete.
            self._in_doubt = True
            over = [self._running.pop(future) for future in done]
            taken = [self._answer(question, future) for question, future in zip(over, done, strict=True)]
            self._store([answer for answer in taken if answer is not None], over, renew=pulse)
            self._in_doubt = False
        if pulse:
            self._ctx.watcher.heard(self._pace.line(self._done, self._ctx.client.usage.calls - self._calls_before))
            self._ctx.watcher.left(self._days_left())

    def _answer(self, question: Q, future: Future[A]) -> Answer[Q, A] | None:
        error = future.exception()
        if error is None:
            self._in_a_row = 0
            return question, future.result()
        if isinstance(error, NotFound | NotInPlan):
            self._in_a_row = 0
            return question, error
        if not isinstance(error, SoundchartsError):
            raise error
        self._errors.append((question, error))
        self._in_a_row += 1
        self._stopped |= isinstance(error, STOP_AT_ONCE) or self._in_a_row >= FAILURES_IN_A_ROW
        return None

    def _store(self, answers: list[Answer[Q, A]], over: Sequence[Q], *, renew: bool) -> None:
        report, questions = self._report, self._questions
        with self._ctx.warehouse.write() as conn:
            if answers:
                report.rows += self._task.save(conn, answers)
            report.not_found += sum(isinstance(answer, NotFound) for _, answer in answers)
            report.not_in_plan += sum(isinstance(answer, NotInPlan) for _, answer in answers)
            questions.answered(conn, over)
            if self._stopped:
                questions.give_up(conn)
            else:
                questions.refill(conn)
            if renew:
                questions.renew(conn)
            self._ctx.keep_books(conn, self._done, self._total)

    @property
    def _done(self) -> int:
        return self._total - len(self._questions) - len(self._running) - len(self._errors)

    def _days_left(self) -> set[date]:
        left = [*self._questions.waiting(), *self._running.values(), *(question for question, _ in self._errors)]
        return {day for question in left for day in self._task.days(question)} | set(self._task.also_left())

    def _finish(self) -> SyncReport:
        usage, report = self._ctx.client.usage, self._report
        report.calls = usage.calls - self._calls_before
        report.quota_remaining = usage.quota_remaining
        report.remaining = len(self._questions) + len(self._errors)
        if not self._errors:
            return report
        # The error that stopped the work says more than one that it met on the way.
        errors = [error for _, error in self._errors]
        cause = next((error for error in errors if isinstance(error, STOP_AT_ONCE)), errors[0])
        raise still_to_do(self._task.noun, cause, report)


def still_to_do(noun: str, cause: SoundchartsError, report: SyncReport) -> SyncIncomplete:
    """The end of a sync that could not answer all it asked."""
    return SyncIncomplete(
        f"{report.remaining} of {report.asked} {noun} are still to do: {cause}. "
        "What was answered is saved; run it again to ask for the rest alone.",
        cause=cause,
        report=report,
    )
