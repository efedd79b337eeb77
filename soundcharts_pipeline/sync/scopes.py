"""The scopes that one worklist asks: which are closed, what of their answers may be saved, what the next run knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import IncompleteAnswer, SoundchartsError, UnexpectedPayload
from soundcharts_pipeline.storage.endpoint_states import EndpointState, endpoint_state, save_endpoint_states
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.evidence import FEW_NOT_FOUND, FEW_REFUSALS, REFUSALS, Says, Scope, Unproven

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[Q, A]):
    """How answers are judged.

    `scope_of` names the kind of a question, `uuid_of` its entity. `says`: what an answer (or refusal) says of the
    scope, the refusal if it is one, and of how many entities. `controls`: questions about entities that were answered
    before, a call each, asked when everybody is refused. `at_first`: questions under way before the first answer ever.
    """

    scope_of: Callable[[Q], str]
    uuid_of: Callable[[Q], str]
    says: Callable[[Any], tuple[Says, SoundchartsError | None, int]]
    controls: Callable[[Connection, Q], Sequence[Q]]
    at_first: int = FEW_REFUSALS


class Scopes(Generic[Q, A]):
    """All of a fan-out. Without `asked` every answer is taken as it is."""

    def __init__(self, ctx: SyncContext, asked: Asked[Q, A] | None, fetch: Callable[[Q], A]) -> None:
        self._ctx, self._asked, self._fetch = ctx, asked, fetch
        self._scopes: dict[str, Scope[Q, Any]] = {}
        self.left_out: dict[str, str] = {}

    def in_order(self, questions: Sequence[Q]) -> Sequence[Q]:
        """The questions as they are to be asked: where everybody was refused, begin with others than last time."""
        if self._asked is None or not questions:
            return questions
        refused = max(scope.state.refused_runs for scope in map(self._of, questions) if scope is not None)
        turn = refused * FEW_NOT_FOUND % len(questions)
        return [*questions[turn:], *questions[:turn]]

    def is_closed(self, question: Q) -> bool:
        """It is not asked in this run."""
        scope = self._of(question)
        return scope is not None and (scope.closed_by is not None or scope.state.scope in self.left_out)

    def closed_by(self, question: Q) -> SoundchartsError | None:
        """Why it is not asked, unless its scope is left out."""
        scope = self._of(question)
        return None if scope is None or scope.state.scope in self.left_out else scope.closed_by

    def may_ask(self, question: Q) -> bool:
        """Whether it may be asked now; it counts as under way then."""
        scope = self._of(question)
        if scope is None:
            return True
        if scope.has_room:
            scope.ask(question)
            return True
        return False

    def take(self, question: Q, answer: Any) -> list[tuple[Q, Any]]:
        """The answers that may be saved now, perhaps others than this one."""
        scope = self._of(question)
        if scope is None or self._asked is None:
            return [(question, answer)]
        says, error, count = self._asked.says(answer)
        kept = scope.take(question, answer, says, error, count)
        if scope.has_answered and not scope.has_given and len(scope.held) >= self._ctx.max_in_flight // 2:
            kept += [(q, Unproven(a)) for q, a in scope.release()]
        return kept

    def failed(self, question: Q, error: Exception) -> bool:
        """Count an error that leaves its question for a later run; True when the scope looks after it."""
        scope = self._of(question)
        if scope is None:
            return False
        if isinstance(error, (*REFUSALS, UnexpectedPayload, IncompleteAnswer)):
            scope.refused(question, error)
            return True
        scope.numbers.pop(question)
        return False

    @property
    def waiting(self) -> list[Q]:
        """Questions with an answer that waits for evidence."""
        return [question for scope in self._scopes.values() for question in scope.waiting()]

    @property
    def in_doubt(self) -> bool:
        """Everybody of a scope was refused, or one was closed with refusals that are not kept."""
        return any(scope.is_doubtful or (scope.closed_by and scope.waiting()) for scope in self._scopes.values())

    def is_left_out(self, question: Q) -> bool:
        """Its refusal is no news."""
        scope = self._of(question)
        return scope is not None and scope.state.is_left_out

    def settle_doubts(self, *, may_ask: bool) -> tuple[list[tuple[Q, Any]], list[tuple[Q, Exception]]]:
        """Where everybody was refused, ask for somebody who is known to be there (unless no more may be asked): what
        may be saved after all, and questions that stay open."""
        kept: list[tuple[Q, Any]] = []
        refused: list[tuple[Q, Exception]] = []
        for scope in self._scopes.values():
            if scope.is_doubtful and may_ask:
                is_fine = self._somebody_known_gets_something(scope)
                if is_fine:
                    kept += scope.confirmed()
                elif is_fine is None and scope.has_given:
                    kept += [(question, Unproven(answer)) for question, answer in scope.confirmed()]
                elif is_fine is None and not scope.refusals:
                    scope.has_controls = False
                else:
                    scope.close(scope.refusal())
            if scope.closed_by is not None:
                error = scope.closed_by
                if scope.state.is_left_out:  # no news: the run goes on without it
                    self.left_out[scope.state.scope] = self._state_after(scope).reason()
                    scope.drop_held()
                else:
                    refused += [(question, error) for question in scope.drop_held()]
        return kept, refused

    def begin_to_end(self) -> None:
        """Nothing is left to ask."""
        for scope in self._scopes.values():
            scope.is_ending = True

    def let_go(self) -> list[tuple[Q, Any]]:
        """What waited for evidence, which will not come from what is left to ask, or not soon."""
        kept: list[tuple[Q, Any]] = []
        for scope in self._scopes.values():
            proven, unproven = scope.let_go()
            kept += [*proven, *((question, Unproven(answer)) for question, answer in unproven)]
        return kept

    def save_states(self) -> None:
        """What the next run should know."""
        states = [scope.new_state(self._asked.uuid_of) for scope in self._scopes.values()] if self._asked else []
        if news := [state for state in states if state is not None]:
            self._ctx.save(lambda conn: save_endpoint_states(conn, news))

    def _of(self, question: Q) -> Scope[Q, Any] | None:
        if self._asked is None:
            return None
        name = self._asked.scope_of(question)
        if name not in self._scopes:
            self._scopes[name] = self._open(name, question)
        return self._scopes[name]

    def _open(self, name: str, question: Q) -> Scope[Q, Any]:
        assert self._asked is not None  # noqa: S101  # asked above
        with self._ctx.warehouse.read() as conn:
            state = endpoint_state(conn, name)
            # A database of an earlier version has no states.
            has_controls = state.answered_at is not None or bool(self._asked.controls(conn, question))
        now = self._ctx.clock()
        again = state.ask_again_at
        if self._ctx.automatic and state.is_left_out and again is not None and now < again:
            self.left_out[name] = state.reason()
        is_known = has_controls and not state.refuses
        at_first = 1 if state.is_left_out else self._ctx.max_in_flight if is_known else self._asked.at_first
        return Scope(state, at_first, now, max(self._ctx.max_in_flight, FEW_NOT_FOUND), has_controls=has_controls)

    def _state_after(self, scope: Scope[Q, Any]) -> EndpointState:
        assert self._asked is not None  # noqa: S101  # there is a scope
        return scope.new_state(self._asked.uuid_of) or scope.state

    def _somebody_known_gets_something(self, scope: Scope[Q, Any]) -> bool | None:
        """Asks up to two entities that have data. None: nobody is known to have any."""
        question = scope.last_question
        error = scope.last_refusal[1] if scope.last_refusal and scope.refusals else None
        if self._asked is None or question is None or scope.state.is_left_out:
            return False
        if error is not None and not isinstance(error, REFUSALS):
            return False  # what cannot be read is read no better of others
        with self._ctx.warehouse.read() as conn:
            controls = self._asked.controls(conn, question)
        for control in controls:
            try:
                answer = self._fetch(control)
            except REFUSALS:
                continue
            except SoundchartsError as broken:
                scope.refused(question, broken)
                return False
            if self._asked.says(answer)[0] is Says.SOMETHING:
                return True
        return False if controls else None
