"""The account's term as all processes share it: never below the reserve, whatever is under way, lost or not billed,
and all above it can be used."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soundcharts_pipeline.models import RateNews
from soundcharts_pipeline.storage.rate_gate import RateGate, Window
from soundcharts_pipeline.storage.tables.bookkeeping import rate_gate, rate_slots
from soundcharts_pipeline.storage.warehouse import Warehouse

MINUTE = Window().length.total_seconds()
USERS = ("ours", "theirs")

Deed = tuple[str, str, int]
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from(USERS), st.integers(1, 10)),
        # Which of the calls under way: the server counts it, fails at it, or its answer arrives.
        st.tuples(st.sampled_from(["served", "failed", "arrives"]), st.sampled_from(USERS), st.integers(0, 9)),
        st.tuples(st.sampled_from(["asks", "hears", "killed"]), st.sampled_from(USERS), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from(USERS), st.integers(1, 20)),
    ),
    max_size=60,
)


@dataclass
class Call:
    """One call: permitted, then served or failed, then back."""

    number: int
    under_way: int
    says: int | None = None


@dataclass
class User:
    """One process: what it has under way, and what it has not passed on yet."""

    gate: RateGate
    calls: list[Call] = field(default_factory=list)
    news: RateNews | None = None
    back: int = 0

    def take(self, wanted: int, *, free: bool = False) -> int:
        news, back = self.news, self.back
        self.news, self.back = None, 0
        grant = self.gate.take(wanted, news, back=back, free=free)
        if not free:
            self.calls += [Call(grant.first + n, grant.under_way + n) for n in range(grant.calls)]
        elif grant.calls:
            self.told(Call(grant.first, grant.under_way), None)
        return grant.calls

    def told(self, call: Call, quota: int | None) -> None:
        if self.news is None or call.number > self.news.call:
            self.news = RateNews(call=call.number, let_in=True, under_way=call.under_way, quota=quota)

    def ask(self, quota: int) -> None:
        """The free call, answered at once."""
        grant = self.gate.take(1, self.news, back=self.back, free=True)
        self.news, self.back = None, 0
        self.told(Call(grant.first, grant.under_way), quota)


class Time:
    """The database's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 16, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Account:
    """The server's count, and the users of one gate."""

    def __init__(self, warehouse: Warehouse, *, quota: int, reserve: int) -> None:
        with warehouse.beside().write() as conn:
            conn.execute(rate_slots.delete())
            conn.execute(
                rate_gate.update().values(
                    calls=0, heard_call=None, quota_left=None, calls_out=0, quota_taken_at=None, blocked_until=None
                )
            )
        self.left = quota
        self.time = Time()
        self.lost: list[Call] = []
        self.users = {
            name: User(RateGate(warehouse, per_minute=5_000, quota_reserve=reserve, clock=self.time)) for name in USERS
        }

    def do(self, deed: str, name: str, amount: int) -> None:
        user = self.users[name]
        open_calls = [call for call in [*user.calls, *self.lost] if call.says is None]
        if deed == "take":
            user.take(amount)
        elif deed in ("served", "failed") and open_calls:
            self.left -= deed == "served"
            open_calls[amount % len(open_calls)].says = self.left
        elif deed == "arrives":
            for call in [call for call in user.calls if call.says is not None][:amount]:
                user.calls.remove(call)
                user.told(call, call.says)
                user.back += 1
        elif deed == "asks":
            user.ask(self.left)
        elif deed == "hears":
            user.take(1, free=True)
        elif deed == "killed":
            # What it had sent may still reach the server, within the minute.
            self.lost += user.calls
            user.calls, user.news, user.back = [], None, 0
        elif deed == "wait":
            self.time.passes(amount)
            self.end_old_calls(amount)

    def end_old_calls(self, seconds: float) -> None:
        """No call is under way for a minute: here none survives a wait of half of one."""
        if seconds > 10:
            for call in [*self.lost, *(call for user in self.users.values() for call in user.calls)]:
                if call.says is None:
                    self.left -= 1
                    call.says = self.left
            self.lost.clear()

    def take_all(self) -> int:
        """Everything above the reserve, once nothing is under way any more."""
        self.end_old_calls(MINUTE)
        self.time.passes(MINUTE)
        user = self.users["ours"]
        user.calls.clear()
        user.ask(self.left)
        total = 0
        while calls := user.take(10):
            total += calls
        return total


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(quota=st.integers(0, 25), reserve=st.integers(0, 5), deeds=DEEDS)
@example(quota=3, reserve=1, deeds=[("asks", "ours", 0), ("take", "ours", 5), ("take", "theirs", 5)])
def test_the_reserve_is_kept_whatever_happens_and_all_above_it_can_be_used(
    sqlite_warehouse: Warehouse, quota: int, reserve: int, deeds: Sequence[Deed]
) -> None:
    account = Account(sqlite_warehouse, quota=quota, reserve=reserve)
    # With nothing in reserve calls leave before the server has said what is left.
    account.do("asks", "ours", 0)
    account.do("hears", "ours", 0)
    floor = min(quota, reserve)
    for deed in deeds:
        account.do(*deed)
        assert account.left >= floor
    account.end_old_calls(MINUTE)
    assert account.left >= floor
    assert account.take_all() == account.left - floor


def both(warehouse: Warehouse, *, quota: int, reserve: int = 0) -> tuple[Account, User, User]:
    account = Account(warehouse, quota=quota, reserve=reserve)
    return account, account.users["ours"], account.users["theirs"]


def test_with_a_reserve_nothing_leaves_before_the_server_was_asked(warehouse: Warehouse) -> None:
    account, ours, theirs = both(warehouse, quota=100, reserve=99)
    assert (ours.take(1), theirs.take(1)) == (0, 0)
    ours.ask(account.left)
    assert (ours.take(10), theirs.take(10)) == (1, 0)


def test_without_one_the_first_answer_tells_all_what_is_left(warehouse: Warehouse) -> None:
    account, ours, theirs = both(warehouse, quota=4)
    assert ours.take(1) == 1
    account.do("served", "ours", 0)
    account.do("arrives", "ours", 1)
    assert (ours.take(1), theirs.take(10)) == (1, 2)


def test_what_others_use_up_ends_it_for_all(warehouse: Warehouse) -> None:
    account, ours, theirs = both(warehouse, quota=100)
    ours.ask(account.left)
    assert ours.take(1) == 1
    account.left = 2
    account.do("served", "ours", 0)
    account.do("arrives", "ours", 1)
    assert (ours.take(10), theirs.take(1)) == (1, 0)


@pytest.mark.parametrize("seconds", [0.0, MINUTE])
def test_a_call_whose_process_was_killed_may_be_counted_for_a_minute_and_no_longer(
    warehouse: Warehouse, seconds: float
) -> None:
    account, ours, theirs = both(warehouse, quota=10)
    ours.ask(account.left)
    assert ours.take(4) == 4
    account.do("killed", "ours", 0)
    account.time.passes(seconds)
    theirs.ask(account.left)
    assert theirs.take(10) == (10 if seconds else 6)


def test_a_clock_that_is_set_back_keeps_lost_calls_no_longer_than_a_minute(warehouse: Warehouse) -> None:
    account, ours, theirs = both(warehouse, quota=10)
    ours.ask(account.left)
    assert ours.take(4) == 4
    account.time.passes(-86_400)
    theirs.ask(account.left)
    account.time.passes(MINUTE)
    theirs.ask(account.left)
    assert theirs.take(10) == 10


def test_a_new_term_is_found_out_by_one_answer(warehouse: Warehouse) -> None:
    account, ours, theirs = both(warehouse, quota=1)
    ours.ask(account.left)
    assert (ours.take(1), theirs.take(1)) == (1, 0)
    ours.ask(account.left)
    theirs.ask(500_000)
    assert theirs.take(10) == 10
    # Ours passes on only now what it was told in the last term.
    assert ours.take(10) == 10


def test_what_was_told_before_others_took_calls_does_not_give_these_back(warehouse: Warehouse) -> None:
    account, ours, theirs = both(warehouse, quota=10)
    ours.ask(account.left)
    theirs.ask(account.left)
    assert theirs.take(10) == 10
    assert ours.take(1) == 0


def test_calls_that_are_back_without_being_billed_are_there_again_at_once(warehouse: Warehouse) -> None:
    account, ours, theirs = both(warehouse, quota=10)
    ours.ask(account.left)
    assert ours.take(4) == 4
    for _ in range(4):
        account.do("failed", "ours", 0)
    account.do("arrives", "ours", 9)
    account.do("hears", "ours", 0)
    theirs.ask(account.left)
    assert theirs.take(10) == 10
