"""Which answers of a run may be kept for good.

That an entity is refused, or has no data, is believed where others of the same scope (one kind of question, such as
`artist/spotify/followers`) get something before and after it: after it is what was asked once it had answered, for a
good answer that took longer tells of the time before. A row of such answers that is longer than chance explains
is doubted: somebody who is known to have data is asked, and when that one gets nothing either, it is the server, the
plan or the settings. Then the scope is closed, and nothing of the row is kept. A row is one in the order of asking.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Generic, TypeVar

from soundcharts_pipeline.api.errors import (
    BadRequest,
    EndpointRefuses,
    NotFound,
    NotInPlan,
    SoundchartsError,
    WrongPlatform,
)
from soundcharts_pipeline.storage.endpoint_states import EndpointState

# Before anything came, so many refusals are doubted, and so many questions are under way before the first answer ever.
# On some platforms few entities have anything: of a 404 it takes more to be no coincidence.
FEW_REFUSALS = 5
FEW_NOT_FOUND = 10
# Empty answers in a row that are doubted before anything came, where somebody is known to have data.
FEW_EMPTY = 7
# A row of refusals and empty answers after others is doubted when chance would bring it less often than this.
CHANCE = 0.01
# Each time that somebody known was answered in the middle of such a row, so many times longer ones are believed.
PATIENCE_GROWS = 4
ANSWERS_NOTED_EVERY = timedelta(days=1)
REFUSALS = (NotFound, NotInPlan, BadRequest)

Q = TypeVar("Q")
A = TypeVar("A")


class Says(Enum):
    """What an answer says of its scope."""

    SOMETHING = "something"
    NOTHING = "nothing"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Unproven(Generic[A]):
    """An answer to be kept only until it is asked again soon."""

    answer: A


@dataclass(slots=True)
class Scope(Generic[Q, A]):
    """One kind of question during one run.

    `state`: what earlier runs left; `at_first`: so many questions may be under way before the first answer;
    `most_waiting`: so many answers may wait for evidence; `has_controls`: somebody is known to have data.
    """

    state: EndpointState
    at_first: int
    now: datetime
    most_waiting: int
    has_answered: bool = False
    has_given: bool = False
    has_controls: bool = False
    is_ending: bool = False
    # Entities that got something and that did not, before the present row of those that did not.
    given: int = 0
    missed: int = 0
    refusals: int = 0
    empty: int = 0
    patience: int = 1
    last_question: Q | None = None
    last_refusal: tuple[Q, SoundchartsError] | None = None
    closed_by: SoundchartsError | None = None
    # Questions have numbers in the order in which they are asked: those under way, the last one's, and the last one's
    # that got something.
    numbers: dict[Q, int] = field(default_factory=dict)
    asked: int = 0
    given_up_to: int = 0
    # The present row: number, entities, and whether they were refused.
    row: list[tuple[int, int, bool]] = field(default_factory=list)
    # Answers that wait, each for something that is given to a question after this number.
    held: list[tuple[Q, A, int]] = field(default_factory=list)

    @property
    def is_suspicious(self) -> bool:
        """So many got nothing that somebody known to have something should be asked."""
        if self.state.is_left_out:
            return self.refusals > 0
        row = self.refusals + self.empty
        if self.has_given:
            usual = (self.missed + 1) / (self.given + self.missed + 2)
            return usual ** (row / self.patience) < CHANCE or len(self.held) >= self.most_waiting
        if self.refusals and self.last_refusal is not None and not self.has_answered:
            few = FEW_NOT_FOUND if isinstance(self.last_refusal[1], NotFound) else FEW_REFUSALS
            if self.refusals >= (2 if self.is_ending else few * self.patience):
                return True
        return self.has_controls and row >= FEW_EMPTY

    @property
    def has_room(self) -> bool:
        """Another question may be asked now."""
        if self.closed_by or self.is_suspicious:
            return False
        return self.has_answered or len(self.numbers) < max(self.at_first - self.refusals, 1)

    @property
    def is_doubtful(self) -> bool:
        """A long row got nothing, and none of those asked is still to answer."""
        return not self.closed_by and not self.numbers and self.is_suspicious

    def ask(self, question: Q) -> None:
        """It is under way."""
        self.asked += 1
        self.numbers[question] = self.asked

    def take(self, question: Q, answer: A, says: Says, error: SoundchartsError | None, count: int) -> list[tuple[Q, A]]:
        """The answers that may be kept for good now; a refusal (of `count` entities) and an empty answer wait."""
        self.last_question = question
        if says is Says.REFUSED and error is not None:
            self.refused(question, error, count)
            self.held.append((question, answer, self.asked))
            return []
        number = self.numbers.pop(question)
        if says is Says.UNKNOWN:
            return [(question, answer)]
        self.has_answered = True
        if says is Says.NOTHING and not self.state.is_silent(self.now):
            self._missed(number, count, is_refusal=False)
            self.held.append((question, answer, self.asked))
            return []
        if self.closed_by is not None:
            return [(question, answer)]
        self.has_given |= says is Says.SOMETHING
        self.given += count
        return [*self.believed(number), (question, answer)]

    def refused(self, question: Q, error: SoundchartsError, count: int = 1) -> None:
        """A refusal, of which there may be nothing to keep."""
        self._missed(self.numbers.pop(question, self.asked), count, is_refusal=True)
        self.last_question, self.last_refusal = question, (question, error)
        if isinstance(error, WrongPlatform):
            self.closed_by = error

    def _missed(self, number: int, count: int, *, is_refusal: bool) -> None:
        if number <= self.given_up_to:
            self.missed += count
            return
        self.row.append((number, count, is_refusal))
        self.refusals += count * is_refusal
        self.empty += count * (not is_refusal)

    def believed(self, number: int) -> list[tuple[Q, A]]:
        """The question of this number got something: the row before it is over, and what had been answered when it was
        asked was about its entities."""
        self.given_up_to = max(self.given_up_to, number)
        before = self.refusals + self.empty
        self.row = [miss for miss in self.row if miss[0] > number]
        self.refusals = sum(count for _, count, is_refusal in self.row if is_refusal)
        self.empty = sum(count for _, count, is_refusal in self.row if not is_refusal)
        self.missed += before - self.refusals - self.empty
        believed = [(question, answer) for question, answer, until in self.held if until < number]
        self.held = [held for held in self.held if held[2] >= number]
        return believed

    def confirmed(self) -> list[tuple[Q, A]]:
        """Somebody known got something in the middle of the row."""
        self.has_answered = self.has_given = True
        self.patience *= PATIENCE_GROWS
        self.asked += 1
        return self.believed(self.asked)

    def close(self, error: SoundchartsError) -> None:
        """Nothing more is asked of it in this run."""
        self.closed_by = error

    def waiting(self) -> list[Q]:
        """Questions with an answer that is not kept yet."""
        return [question for question, _, _ in self.held]

    def drop_held(self) -> list[Q]:
        """Answers that are not kept; their questions stay open."""
        dropped, self.held = self.waiting(), []
        return dropped

    def release(self) -> list[tuple[Q, A]]:
        """What waits, and waits no longer."""
        held, self.held = self.held, []
        return [(question, answer) for question, answer, _ in held]

    def let_go(self) -> tuple[list[tuple[Q, A]], list[tuple[Q, A]]]:
        """What waits, with no more evidence to wait for: what is kept for good, and what is not proven. The row that
        got nothing goes on."""
        is_proven = self.has_given and not self.is_suspicious and self.closed_by is None
        held = self.release()
        return (held, []) if is_proven else ([], held)

    def refusal(self) -> SoundchartsError:
        """Why the scope is closed, after a long row was refused, came empty, or could not be read."""
        if self.last_refusal is None or not self.refusals:
            return EndpointRefuses(
                f"answers about {self.state.scope} are suddenly empty, also for somebody who has data: this is the "
                "state of the server, and nothing of it was kept"
            )
        _, error = self.last_refusal
        if not isinstance(error, REFUSALS):
            return error
        return EndpointRefuses(
            f"everything asked of {self.state.scope} was refused, last: {error}. One refusal would be an answer; this "
            "is the state of the server, of the plan or of charts.yaml, and nothing of it was kept",
            endpoint=error.endpoint,
            status=error.status,
        )

    def new_state(self, uuid_of: Callable[[Q], str]) -> EndpointState | None:
        """What the next run should know; None: what it knows already."""
        old, now = self.state, self.now
        if self.closed_by is not None and self.last_refusal is not None and self.refusals:
            question, error = self.last_refusal
            return replace(
                old,
                refused_since=old.refused_since or now,
                refused_at=now,
                refused_runs=old.refused_runs + 1,
                status=400 if isinstance(error, WrongPlatform) else error.status,
                message=str(error)[:500],
                uuid=uuid_of(question),
            )
        if not self.has_answered or self.closed_by is not None:
            return None
        heard = EndpointState(scope=old.scope, answered_at=now)
        if not self.has_given:
            return replace(heard, silent_since=old.silent_since or now, silent_runs=old.silent_runs + 1)
        is_news = old.answered_at is None or now - old.answered_at >= ANSWERS_NOTED_EVERY
        return heard if is_news or old.refuses or old.silent_runs else None
