"""Who is asking what at this moment, so that runs that overlap do not pay for the same answer.

A claim is taken before a call and given back in the transaction that saves its answer. One whose holder is gone is
free for all: at once when the process was of this host, else when its lease is over. Time is the database's (SQLite:
this host's), so hosts whose clocks differ agree.
"""

import itertools
import os
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.storage.bulk import insert_missing
from soundcharts_pipeline.storage.processes import host_name, is_alive
from soundcharts_pipeline.storage.tables.bookkeeping import claims

# Renewed every few seconds; long enough for a machine that stalls.
LEASE = timedelta(minutes=2)
# Any constant will do, as long as every process takes the same one ("claims" in ASCII).
ADVISORY_LOCK = 0x636C61696D73
# Who stops in the middle of a transaction (a suspended machine, a lost network) would hold the lock, and with it every
# save of every run: after this the server ends the transaction. A save takes milliseconds.
LONGEST_TURN = "20s"

_numbers = itertools.count(1)


def new_holder() -> str:
    """A name for one worker of this process: host, process and a number of its own."""
    return f"{host_name()}/{os.getpid()}/{next(_numbers)}"


def take(conn: Connection, subjects: Sequence[str], holder: str) -> set[str]:
    """Claim what nobody else holds; returns the subjects that are the holder's now."""
    _one_at_a_time(conn)
    now = database_now(conn)
    t = claims
    asked = t.c.subject.in_(subjects)
    others = conn.scalars(select(t.c.holder).where(asked, t.c.holder != holder).distinct())
    dead = [other for other in others if is_dead(other)]
    conn.execute(t.delete().where(asked, or_(t.c.until < now, t.c.holder.in_(dead))))
    rows = [(subject, holder, now + LEASE) for subject in subjects]
    insert_missing(conn, t, rows, columns=["subject", "holder", "until"])
    return set(conn.scalars(select(t.c.subject).where(asked, t.c.holder == holder)))


def renew(conn: Connection, holder: str) -> None:
    """All that the holder has is claimed for another lease."""
    _one_at_a_time(conn)
    conn.execute(claims.update().where(claims.c.holder == holder).values(until=database_now(conn) + LEASE))


def give_back(conn: Connection, subjects: Collection[str], holder: str) -> None:
    """The subjects are free again."""
    if subjects:
        _one_at_a_time(conn)
        conn.execute(claims.delete().where(claims.c.subject.in_(subjects), claims.c.holder == holder))


def free_all_of(conn: Connection, holder: str) -> None:
    """Every question that a worker of the holder's process asks is free; leases of runs stay."""
    _one_at_a_time(conn)
    of_process = claims.c.holder.startswith(f"{holder.rpartition('/')[0]}/", autoescape=True)
    conn.execute(claims.delete().where(of_process, ~claims.c.subject.startswith("run/")))


def _one_at_a_time(conn: Connection) -> None:
    """To the end of the transaction: two that give back and take rows in another order would wait for each other.
    On SQLite the transaction already holds the only write lock."""
    if conn.dialect.name == "postgresql":
        limit = func.set_config("idle_in_transaction_session_timeout", LONGEST_TURN, True)
        conn.execute(select(func.pg_advisory_xact_lock(ADVISORY_LOCK), limit))


def database_now(conn: Connection) -> datetime:
    """The time that claims and leases go by."""
    if conn.dialect.name == "sqlite":
        return utc_now()
    now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    return now


def is_dead(holder: str) -> bool:
    """Whether the holder was a process of this host and is gone."""
    host, pid, _ = holder.rsplit("/", 2)
    return host == host_name() and not is_alive(int(pid))
