"""Which runs are alive: each process that works on a run holds a lease on it in `claims`, and renews it while it lives.

Time is the database's (SQLite: this host's), so that no host's clock decides. A lease that ran out is believed at the
second look that finds it so: when the database was away for all, those who live have renewed theirs by then.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from soundcharts_pipeline.storage.bulk import insert_missing
from soundcharts_pipeline.storage.claims import database_now, free_all_of, is_dead
from soundcharts_pipeline.storage.tables.bookkeeping import claims

# The holder of a lease that no process holds.
NOBODY = ""
# Subject of the row that keeps when somebody last looked.
_LOOK = "runs/look"
# A row that nobody has cleared away by then belongs to a run that is over.
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Seconds. A process that is gone is noticed after `lease` and two looks, the sensor's 30 s apart: 160 s at most.

    `beat`: how often a lease is renewed; `between_looks`: what is at least between two looks that count; `unclaimed`:
    how long a run may do without a lease, as runs of older versions do, and those that are just beginning; `starting`:
    how long a worker that has taken a run may need until it begins.
    """

    beat: float = 15.0
    lease: float = 90.0
    between_looks: float = 25.0
    unclaimed: float = 1800.0
    starting: float = 60.0


def take(conn: Connection, run_id: str, holder: str, *, seconds: float) -> None:
    """The holder works on the run, beside others that do."""
    conn.execute(claims.delete().where(claims.c.subject == _subject(run_id, NOBODY)))
    _insert(conn, _subject(run_id, holder), holder, database_now(conn) + timedelta(seconds=seconds))


def renew(conn: Connection, run_id: str, holder: str, *, seconds: float) -> bool:
    """Hold the run for that long from now; false when somebody has ended it meanwhile."""
    until = database_now(conn) + timedelta(seconds=seconds)
    return conn.execute(claims.update().where(_of(run_id, holder)).values(until=until)).rowcount == 1


def is_held(conn: Connection, run_id: str, holder: str) -> bool:
    """Whether the run is still the holder's: nobody has ended it, though its time may be over."""
    return conn.scalar(select(claims.c.holder).where(_of(run_id, holder))) is not None


def give_back(conn: Connection, run_id: str, holder: str) -> None:
    """The holder is done with the run."""
    conn.execute(claims.delete().where(_of(run_id, holder)))


def end_lost(
    conn: Connection, run_ids: Collection[str], lengths: Lengths, *, expected: Mapping[str, float]
) -> dict[str, str]:
    """End the leases of those of the runs at work that have lost every process; returns one of its holders for each of
    them, NOBODY where none is known. `expected`: those that should have a lease, and the seconds that they are given
    to take one. A process that comes back finds its lease gone."""
    now = database_now(conn)
    before = conn.scalar(select(claims.c.until).where(claims.c.subject == _LOOK))
    counts = before is None or not before <= now < before + timedelta(seconds=lengths.between_looks)
    # A clock that was set back makes no lease look older than it is.
    limit = min(before, now) if counts and before is not None else None
    leases = _leases(conn, run_ids)
    lost = {
        run_id: rows[0].holder
        for run_id, rows in leases.items()
        if all(_is_over(row, limit) for row in rows) and _end(conn, rows, now)
    }
    for run_id in expected.keys() - leases.keys():
        _insert(conn, _subject(run_id, NOBODY), NOBODY, now + timedelta(seconds=expected[run_id]))
    if counts:
        _insert(conn, _LOOK, NOBODY, now)
        conn.execute(claims.update().where(claims.c.subject == _LOOK).values(until=now))
    conn.execute(claims.delete().where(claims.c.subject.startswith("run/"), claims.c.until < now - _FORGOTTEN_AFTER))
    return lost


def _leases(conn: Connection, run_ids: Collection[str]) -> Mapping[str, Sequence[Row[tuple[str, str, datetime]]]]:
    """The rows of each run; that of nobody only where there is no other."""
    rows: dict[str, list[Row[tuple[str, str, datetime]]]] = defaultdict(list)
    for row in conn.execute(select(claims).where(claims.c.subject.startswith("run/"))):
        run_id = row.subject.split("/")[1]
        if run_id in run_ids:
            rows[run_id].append(row)
    return {run_id: [row for row in found if row.holder != NOBODY] or found for run_id, found in rows.items()}


def _is_over(row: Row[tuple[str, str, datetime]], limit: datetime | None) -> bool:
    return (row.holder != NOBODY and is_dead(row.holder)) or (limit is not None and row.until < limit)


def _end(conn: Connection, rows: Sequence[Row[tuple[str, str, datetime]]], now: datetime) -> bool:
    """Make the leases nobody's; false if one was renewed in this moment. They stay, so that a run which was not
    reported after all is found again. What their processes were asking is free for others: they save nothing more."""
    for row in rows:
        same = claims.c.subject == row.subject, claims.c.holder == row.holder, claims.c.until == row.until
        if conn.execute(claims.update().where(*same).values(holder=NOBODY, until=now)).rowcount == 0:
            return False
        if row.holder != NOBODY:
            free_all_of(conn, row.holder)
    return True


def _insert(conn: Connection, subject: str, holder: str, until: datetime) -> None:
    insert_missing(conn, claims, [(subject, holder, until)], columns=["subject", "holder", "until"])


def _subject(run_id: str, holder: str) -> str:
    return f"run/{run_id}/{holder}"


def _of(run_id: str, holder: str) -> ColumnElement[bool]:
    return and_(claims.c.subject == _subject(run_id, holder), claims.c.holder == holder)
