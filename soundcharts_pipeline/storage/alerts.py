"""What is wrong at this moment: one row per cause, from its first failure until its recovery was told.

Later events win, in whatever order they are noted. Each function runs inside its caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from soundcharts_pipeline.storage.tables.bookkeeping import alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One thing that went wrong. `subject` is chart/asset, '' for the whole account; `link` a path in Dagster's UI."""

    subject: str
    kind: str
    what: str
    message: str
    link: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One row of `alerts`."""

    subject: str
    kind: str
    what: str
    message: str
    link: str
    since: datetime
    seen_at: datetime
    told_at: datetime | None
    over_at: datetime | None
    refused_by: str | None


def note(conn: Connection, failure: Failure) -> None:
    """It went wrong, for the first time or again."""
    of_it = (alerts.c.subject == failure.subject) & (alerts.c.kind == failure.kind)
    news = {"what": failure.what, "message": failure.message, "link": failure.link, "seen_at": failure.at}
    known = conn.execute(select(alerts.c.seen_at, alerts.c.over_at).where(of_it)).first()
    if known is None:
        row = {"subject": failure.subject, "kind": failure.kind, "since": failure.at, **news}
        conn.execute(alerts.insert().values(row))
    elif failure.at > max(known.seen_at, known.over_at or known.seen_at):
        conn.execute(alerts.update().where(of_it).values(**news, over_at=None))


def recover(conn: Connection, subject: str, at: datetime) -> None:
    """All is well with the subject at that time. What nobody was told of is forgotten."""
    of_it = (alerts.c.subject == subject) & (alerts.c.seen_at < at) & alerts.c.over_at.is_(None)
    conn.execute(alerts.delete().where(of_it, alerts.c.told_at.is_(None)))
    conn.execute(alerts.update().where(of_it).values(over_at=at))


def all_alerts(conn: Connection) -> list[Alert]:
    """Every row, the oldest cause first."""
    rows = conn.execute(select(alerts).order_by(alerts.c.since, alerts.c.subject, alerts.c.kind))
    return [Alert(*row) for row in rows]


def untold(conn: Connection) -> list[Alert]:
    """Causes and recoveries that nobody was told of."""
    return [alert for alert in all_alerts(conn) if alert.told_at is None or alert.over_at is not None]


def keep_outcome(
    conn: Connection, sent: Sequence[Alert], now: datetime, *, taken: bool, refused_by: str | None
) -> None:
    """A message about these was sent: whether any service took it, and which did not."""
    conn.execute(alerts.update().values(refused_by=refused_by))
    for alert in sent if taken else ():
        of_it = (alerts.c.subject == alert.subject) & (alerts.c.kind == alert.kind)
        conn.execute(alerts.update().where(of_it).values(told_at=now))
        if alert.over_at is not None:
            # Unless it failed once more meanwhile.
            conn.execute(alerts.delete().where(of_it, alerts.c.over_at == alert.over_at))


def refusing(conn: Connection) -> str | None:
    """Services that did not take the last message, as far as it is still of interest."""
    names: str | None = conn.scalar(select(func.max(alerts.c.refused_by)))
    return names


def forget_refusals(conn: Connection) -> None:
    """Every service has taken a message."""
    conn.execute(alerts.update().values(refused_by=None))
