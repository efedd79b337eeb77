"""A worklist shared with whoever else works on it: each question is claimed before it is asked, a few at a time.

Few, because others may need the same answer: they wait for the claim and then find the question answered.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import sleep
from typing import Generic

from sqlalchemy import Connection

from soundcharts_pipeline.storage import claims
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.worklist import A, Q, Worklist

# How often somebody looks again for what others hold.
LOOK_AGAIN_SECONDS = 0.25
# Looks at the backlog in one transaction, during which nobody else can save: at the end of two long worklists that
# overlap, half of each has been answered by the other one, and is found to be so here.
LOOKS_AT_ONCE = 8


class ClaimedQuestions(Generic[Q, A]):
    """Questions on their way from `backlog` (nobody's yet) to `ready` (ours); `held` are others' at the moment.

    The worklist reads the warehouse again once the claim is ours: an overlapping run may have had the answer since the
    questions were found.
    """

    def __init__(self, questions: Sequence[Q], worklist: Worklist[Q, A], *, at_once: int) -> None:
        self._backlog = deque(questions)
        self._held: list[Q] = []
        self.ready: deque[Q] = deque()
        self._worklist, self._at_once = worklist, at_once
        self._holder = claims.new_holder()
        self._uses: Counter[str] = Counter()

    def waiting(self) -> list[Q]:
        """Every question that is not asked yet."""
        return [*self.ready, *self._backlog, *self._held]

    def state(self) -> Callable[[], None]:
        """Call it, and all is as it is now: the transaction in which it was changed was lost."""
        backlog, held, ready, uses = self._backlog.copy(), [*self._held], [*self.ready], self._uses.copy()

        def restore() -> None:
            self._backlog, self._held, self._uses = backlog.copy(), [*held], uses.copy()
            self.ready.clear()
            self.ready.extend(ready)

        return restore

    def __len__(self) -> int:
        return len(self.ready) + len(self._backlog) + len(self._held)

    @property
    def is_wanting(self) -> bool:
        """Nothing is ready, and there is more to look at than what others held a moment ago."""
        return bool(self._backlog) and not self.ready

    def refill(self, conn: Connection) -> None:
        """Claim more if fewer are ready than may be asked at once; what others hold is looked at last."""
        if not self._backlog:
            self._backlog, self._held = deque(self._held), []
        for _ in range(LOOKS_AT_ONCE):
            if self._backlog and len(self.ready) < self._at_once:
                self._claim(conn, [self._backlog.popleft() for _ in range(min(self._at_once, len(self._backlog)))])

    def renew(self, conn: Connection) -> None:
        """Keep what is ours."""
        claims.renew(conn, self._holder)

    def answered(self, conn: Connection, questions: Sequence[Q]) -> None:
        """These are over, with an answer that is saved or without one: others may ask."""
        free = []
        for subject in (subject for question in questions for subject in self._worklist.subjects(question)):
            self._uses[subject] -= 1
            if not self._uses[subject]:
                del self._uses[subject]
                free.append(subject)
        claims.give_back(conn, free, self._holder)

    def give_up(self, conn: Connection) -> None:
        """Nothing more will be asked: what is claimed and not asked is given back."""
        self._backlog.extendleft(reversed(self.ready))
        given_up = list(self.ready)
        self.ready.clear()
        self.answered(conn, given_up)

    def _claim(self, conn: Connection, questions: Sequence[Q]) -> None:
        wanted = {subject for question in questions for subject in self._worklist.subjects(question)}
        taken = claims.take(conn, list(wanted), self._holder)
        mine: list[Q] = []
        for question in questions:
            (mine if taken.issuperset(self._worklist.subjects(question)) else self._held).append(question)
        due = self._worklist.still_due(conn, mine) if mine else []
        self._uses.update(subject for question in due for subject in self._worklist.subjects(question))
        claims.give_back(conn, [subject for subject in taken if not self._uses[subject]], self._holder)
        self.ready.extend(due)


@contextmanager
def claimed(warehouse: Warehouse, subject: str) -> Iterator[None]:
    """The block is run by one process at a time; whoever comes second reads what the first has saved."""
    holder = claims.new_holder()
    while not warehouse.save(lambda conn: claims.take(conn, [subject], holder)):
        sleep(LOOK_AGAIN_SECONDS)
    give_back = partial(warehouse.save, lambda conn: claims.give_back(conn, [subject], holder))
    with warehouse.afterwards(give_back):
        yield
