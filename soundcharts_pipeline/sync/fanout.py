"""Ask a worklist's questions side by side and save each answer as soon as it is there."""

from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import date
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import Generic

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    EndpointRefuses,
    NetworkError,
    NotFound,
    NotInPlan,
    QuotaExhausted,
    RateLimited,
    SoundchartsError,
    WrongPlatform,
)
from soundcharts_pipeline.storage.errors import OUT_OF_REACH, StorageError, StorageUnavailable
from soundcharts_pipeline.storage.interrupts import deferred_interrupts
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.evidence import Unproven
from soundcharts_pipeline.sync.pace import LINE_SECONDS, Pace
from soundcharts_pipeline.sync.report import SyncReport, still_to_do, unreadable
from soundcharts_pipeline.sync.scopes import Scopes
from soundcharts_pipeline.sync.shared_worklist import LOOK_AGAIN_SECONDS, ClaimedQuestions
from soundcharts_pipeline.sync.worklist import A, Answer, Q, Worklist

# After these no other question would fare better.
STOP_AT_ONCE = (AuthenticationError, NetworkError, QuotaExhausted, RateLimited)
# So many failures in a row, with no answer between them, are the server's state and not the entities'.
FAILURES_IN_A_ROW = 10
# A save, and a turn at the rate gate, cost as much for one question as for a dozen: answers wait for each other until a
# quarter of what may be in flight is there, or for so long.
GATHER_SECONDS = 0.1
# What is in flight when a run is interrupted is paid for; it is waited for so long, and saved.
LAST_ANSWERS_SECONDS = 5.0


def fan_out(ctx: SyncContext, questions: Sequence[Q], worklist: Worklist[Q, A]) -> SyncReport:
    """Every question answered and saved; raises SyncIncomplete when some are not, after saving the others.

    At most `ctx.max_in_flight` questions are fetched or wait to be saved, so a killed process repeats no more
    calls than that, and memory holds no more answers, however long the worklist is. NotFound and NotInPlan are
    answers where others are answered; other errors leave their question for a later run. Raises StorageError when the
    database is out of reach, after saving what was on its way, as far as it can be.
    """
    return _FanOut(ctx, questions, worklist).run()


class _FanOut(Generic[Q, A]):
    def __init__(self, ctx: SyncContext, questions: Sequence[Q], worklist: Worklist[Q, A]) -> None:
        self._ctx, self._worklist = ctx, worklist
        self._total = len(questions)
        self._scopes = Scopes(ctx, worklist.asked, worklist.fetch)
        self._questions = ClaimedQuestions(self._scopes.in_order(questions), worklist, at_once=ctx.max_in_flight)
        self._running: dict[Future[A], Q] = {}
        self._arrived: SimpleQueue[Future[A]] = SimpleQueue()
        self._errors: list[tuple[Q, BaseException]] = []
        self._dropped: list[Q] = []
        self._unreleased: list[Q] = []
        self._in_a_row = 0
        self._stopped = False
        self._fatal: Exception | None = None
        self._in_doubt = True
        self._report = SyncReport(asked=len(questions))
        self._calls_before = ctx.client.usage.calls
        self._pace = Pace(worklist.noun, self._total)

    def run(self) -> SyncReport:
        self._store([], [], renew=False)  # the total is known from here on, also when there is nothing to ask
        self._in_doubt = False
        pool = ThreadPoolExecutor(self._ctx.max_in_flight, thread_name_prefix="soundcharts")
        try:
            while self._running or (len(self._questions) and not self._stopped):
                with deferred_interrupts():
                    self._submit(pool)
                self._take_answers()
            self._scopes.begin_to_end()
            self._settle_doubts()
            self._let_go()
            self._scopes.save_states()
        except BaseException as error:
            self._save_the_last(error)
            raise
        finally:
            # Without a wait: what was worth one is over.
            pool.shutdown(wait=False, cancel_futures=True)
            if not self._in_doubt:
                self._ctx.watcher.remaining(self._days_left())
        return self._finish()

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        ready, waiting = self._questions.ready, []
        # What waits for evidence is not saved either.
        most = max(self._ctx.max_in_flight - len(self._scopes.waiting), 1)
        while ready and not self._stopped and len(self._running) < most:
            question = ready.popleft()
            if self._scopes.is_closed(question):
                self._dropped.append(question)
            elif self._scopes.may_ask(question):
                future = pool.submit(self._worklist.fetch, question)
                self._running[future] = question
                future.add_done_callback(self._arrived.put)
            else:
                waiting.append(question)
        ready.extendleft(reversed(waiting))

    def _take_answers(self) -> None:
        is_wanting = self._questions.is_wanting and not self._stopped
        if not self._running and not self._stopped and not is_wanting and not self._dropped:
            # Others hold all that is left. What waits for evidence may be what they wait for.
            if self._scopes.waiting:
                self._let_go()
            sleep(LOOK_AGAIN_SECONDS)
        done = self._gather(0.0 if is_wanting else LINE_SECONDS) if self._running else []
        pulse = self._pace.is_due()
        self._take(done, renew=pulse)
        self._settle_doubts()
        if pulse:
            self._ctx.watcher.progress(self._pace.line(self._done, self._ctx.client.usage.calls - self._calls_before))
            self._ctx.watcher.remaining(self._days_left())

    def _gather(self, timeout: float) -> list[Future[A]]:
        """Answers that are there within `timeout` seconds, and those that follow closely."""
        done: list[Future[A]] = []
        most = min(len(self._running), max(self._ctx.max_in_flight // 4, 1))
        end = monotonic() + timeout
        with suppress(Empty):
            done.append(self._arrived.get(timeout=timeout))
            end = monotonic() + min(timeout, GATHER_SECONDS)
            while len(done) < most:
                done.append(self._arrived.get(timeout=max(end - monotonic(), 0.0)))
        with suppress(Empty):
            while True:
                done.append(self._arrived.get_nowait())
        return done

    def _take(self, done: Collection[Future[A]], *, renew: bool) -> None:
        with deferred_interrupts():
            # Until its answer is saved, a question that is over is neither left nor done: nobody may be told that
            # its day is complete.
            self._in_doubt = True
            asked = [(self._running.pop(future), future) for future in done]
            asked = [(question, future) for question, future in asked if not self._never_left(question, future)]
            over = [question for question, _ in asked]
            taken = [answer for question, future in asked for answer in self._answer(question, future)]
            self._errors += [(q, error) for q in self._dropped if (error := self._scopes.closed_by(q)) is not None]
            self._unreleased += [*over, *self._dropped]
            self._dropped = []
            try:
                self._save(taken, self._released(), renew=renew)
            except BaseException as error:
                self._errors += [(question, error) for question in over]
                raise
            self._in_doubt = False

    def _never_left(self, question: Q, future: Future[A]) -> bool:
        """The database was away when its call was to be counted: it is asked again once an answer has been saved."""
        error = future.exception()
        if not isinstance(error, StorageUnavailable) or not error.is_away:
            return False
        self._scopes.failed(question, error)
        self._questions.ready.appendleft(question)
        return True

    def _released(self) -> list[Q]:
        """Questions that are over: others may ask them. One whose answer waits for evidence is not, or they would pay
        for the same doubt."""
        waiting = set(self._scopes.waiting)
        over = [question for question in self._unreleased if question not in waiting]
        self._unreleased = [question for question in self._unreleased if question in waiting]
        return over

    def _settle_doubts(self) -> None:
        """Where everybody was refused, find out whether that is true of them; may make a call or two."""
        if self._scopes.in_doubt:
            kept, refused = self._scopes.settle_doubts(may_ask=not self._stopped)
            with deferred_interrupts():
                self._errors += refused
                self._save(kept, self._released(), renew=False)

    def _answer(self, question: Q, future: Future[A]) -> list[Answer[Q, A]]:
        error = future.exception()
        if error is None or isinstance(error, NotFound | NotInPlan | WrongPlatform):
            self._in_a_row = 0
            return self._scopes.take(question, future.result() if error is None else error)
        if not isinstance(error, Exception):
            raise error
        if not isinstance(error, SoundchartsError | StorageError):
            # Whatever one answer does to us, its siblings are paid for.
            error = unreadable(self._worklist.subjects(question)[0], error)
        is_judged = isinstance(error, SoundchartsError) and self._scopes.failed(question, error)
        if not (is_judged and self._scopes.is_left_out(question)):
            self._errors.append((question, error))
        if isinstance(error, StorageError):
            self._fatal, self._stopped = self._fatal or error, True
        elif not is_judged:
            self._in_a_row += 1
            self._stopped |= isinstance(error, STOP_AT_ONCE) or self._in_a_row >= FAILURES_IN_A_ROW
        return []

    def _save(self, answers: list[Answer[Q, A]], over: Sequence[Q], *, renew: bool) -> None:
        try:
            self._store(answers, over, renew=renew)
        except OUT_OF_REACH:
            raise
        except Exception:
            if not answers:
                raise
            for answer in answers:
                self._save_alone(answer)
            self._store([], over, renew=renew)

    def _save_alone(self, answer: Answer[Q, A]) -> None:
        """One answer that cannot be saved does not take others along."""
        try:
            self._report.rows += self._ctx.save(lambda conn: self._worklist.save(conn, [answer]))
        except OUT_OF_REACH:
            raise
        except Exception as error:
            ours = isinstance(error, SoundchartsError | StorageError)
            subject = self._worklist.subjects(answer[0])[0]
            self._errors.append((answer[0], error if ours else unreadable(subject, error)))

    def _store(self, answers: list[Answer[Q, A]], over: Sequence[Q], *, renew: bool) -> None:
        questions, report = self._questions, self._report

        def work(conn: Connection) -> int:
            # First, for it may fail: then all of this is tried again, one answer at a time.
            rows = self._worklist.save(conn, answers) if answers else 0
            questions.answered(conn, over)
            if self._stopped:
                questions.give_up(conn)
            else:
                questions.refill(conn)
            if renew:
                questions.renew(conn)
            self._ctx.keep_books(conn, self._done, self._total)
            return rows

        report.rows += self._ctx.save(work, undo=questions.state())
        given = [answer.answer if isinstance(answer, Unproven) else answer for _, answer in answers]
        report.not_found += sum(isinstance(answer, NotFound) for answer in given)
        report.not_in_plan += sum(isinstance(answer, NotInPlan) for answer in given)

    def _let_go(self) -> None:
        """Save what waited for evidence, as what it is."""
        kept = self._scopes.let_go()
        with deferred_interrupts():
            self._in_doubt = True
            self._save(kept, self._released(), renew=False)
            self._in_doubt = False

    def _save_the_last(self, error: BaseException) -> None:
        """What is under way when the work breaks off is paid for. After an interrupt (Ctrl-C, a run that is canceled)
        nobody waits for long: not for the answers, and for a database that is away not at all."""
        self._stopped = True
        interrupted = not isinstance(error, Exception)
        if interrupted:
            self._ctx.warehouse.patience = 0.0
        wait(self._running, timeout=LAST_ANSWERS_SECONDS if interrupted else None)
        # What was wrong before may be wrong still; it is the first error that is told.
        with suppress(Exception):
            self._take([future for future in self._running if future.done()], renew=False)
            self._let_go()
            self._scopes.save_states()

    @property
    def _done(self) -> int:
        waiting = len(self._questions) + len(self._running) + len(self._scopes.waiting)
        return self._total - waiting - len(self._errors)

    def _days_left(self) -> set[date]:
        asked = [*self._running.values(), *self._scopes.waiting, *(question for question, _ in self._errors)]
        left = [*self._questions.waiting(), *asked]
        return {day for question in left for day in self._worklist.days(question)} | set(self._worklist.also_left())

    def _finish(self) -> SyncReport:
        usage, report = self._ctx.client.usage, self._report
        report.calls = usage.calls - self._calls_before
        report.quota_remaining = usage.quota_remaining
        report.left_out = self._scopes.left_out
        report.remaining = len(self._questions) + len(self._errors)
        if self._fatal is not None:
            raise self._fatal
        if not self._errors:
            return report
        # The error that stopped the work says more than one that it met on the way.
        errors = [error for _, error in self._errors]
        cause = next((error for error in errors if isinstance(error, (*STOP_AT_ONCE, EndpointRefuses))), errors[0])
        raise still_to_do(self._worklist.noun, cause, report)
