"""The worklist of an asset: how its questions are asked, how their answers are saved, which days need them."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import date
from typing import Generic, TypeVar

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound, NotInPlan
from soundcharts_pipeline.sync.evidence import Unproven
from soundcharts_pipeline.sync.scopes import Asked

Q = TypeVar("Q")
A = TypeVar("A")
Answer = tuple[Q, A | NotFound | NotInPlan | Unproven[A | NotFound | NotInPlan]]


class Worklist(ABC, Generic[Q, A]):
    """Questions of one kind, for `fan_out`.

    `noun` names the questions in messages, e.g. `rankings`. `asked`: what refusals and empty answers are judged by;
    None where every answer is taken as it is.
    """

    noun: str
    asked: Asked[Q, A] | None = None

    @abstractmethod
    def fetch(self, question: Q, /) -> A:
        """Ask one question, in a thread of its own. Raises as the client does."""

    @abstractmethod
    def save(self, conn: Connection, answers: list[Answer[Q, A]], /) -> int:
        """Save all answers of a moment in the caller's transaction, in the calling thread. Returns the number of rows.

        Raises what the database raises.
        """

    @abstractmethod
    def subjects(self, question: Q, /) -> Sequence[str]:
        """What the question asks about: of runs that overlap, one asks about a subject at a time."""

    @abstractmethod
    def still_due(self, conn: Connection, questions: Sequence[Q], /) -> list[Q]:
        """The questions less what other runs have answered since they were found."""

    @abstractmethod
    def days(self, question: Q, /) -> Collection[date]:
        """Days of the worklist that need the question's answer."""

    def also_left(self) -> Collection[date]:
        """Days that lack something else than an answer."""
        return ()
