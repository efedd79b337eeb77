"""Which answers of a run may be kept for good.

That an entity is refused, or has no data, is believed where others of the same scope (one kind of question, such as
`artist/spotify/followers`) get something before and after it. A row of such answers that is longer than chance explains
is doubted: somebody who is known to have data is asked, and when that one gets nothing either, it is the server, the
plan or the settings. Then the scope is closed, and nothing of the row is kept.
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
    under_way: int = 0
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
    held: list[tuple[Q, A, bool]] = field(default_factory=list)

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
        return self.has_answered or self.under_way < max(self.at_first - self.refusals, 1)

    @property
    def is_doubtful(self) -> bool:
        """A long row got nothing, and none of those asked is still to answer."""
        return not self.closed_by and not self.under_way and self.is_suspicious

    def take(self, question: Q, answer: A, says: Says, error: SoundchartsError | None, count: int) -> list[tuple[Q, A]]:
        """The answers that may be kept for good now; a refusal (of `count` entities) and an empty answer wait."""
        self.last_question = question
        if says is Says.UNKNOWN:
            return [(question, answer)]
        if says is Says.REFUSED and error is not None:
            self.refused(question, error, count)
            self.held.append((question, answer, True))
            return []
        self.has_answered = True
        if says is Says.NOTHING and not self.state.is_silent(self.now):
            self.empty += count
            self.held.append((question, answer, False))
            return []
        if self.closed_by is not None:
            return [(question, answer)]
        self.has_given |= says is Says.SOMETHING
        self.given += count
        return [*self.believed(), (question, answer)]

    def refused(self, question: Q, error: SoundchartsError, count: int = 1) -> None:
        """A refusal that leaves nothing to keep."""
        self.refusals += count
        self.last_question, self.last_refusal = question, (question, error)
        if isinstance(error, WrongPlatform):
            self.closed_by = error

    def believed(self) -> list[tuple[Q, A]]:
        """The row that got nothing has ended: it was about its entities."""
        self.missed += self.refusals + self.empty
        self.refusals = self.empty = 0
        return self.release()

    def confirmed(self) -> list[tuple[Q, A]]:
        """Somebody known got something in the middle of the row."""
        self.has_answered = self.has_given = True
        self.patience *= PATIENCE_GROWS
        return self.believed()

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
