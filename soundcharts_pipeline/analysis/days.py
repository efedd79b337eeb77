"""Which stored ranking of a chart is meant, and what is said where there is none."""

from datetime import date

from sqlalchemy import Connection, func, select

from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.queries.summaries import archived_days
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.months import after
from soundcharts_pipeline.wording import month_of, nearest


class NoRanking(PipelineError):
    """The chart has no stored ranking on that day, or none at all."""


def stored_day(conn: Connection, slug: str, last: date | None) -> date | None:
    """The day of the chart's newest ranking in the database, up to `last`; None without one."""
    t = s.chart_rankings
    query = select(func.max(t.c.rank_date)).where(t.c.chart_slug == slug)
    day: date | None = conn.scalar(query if last is None else query.where(t.c.rank_date <= last))
    return day


def newest_day(conn: Connection, slug: str, last: date | None = None) -> date:
    """The same. Raises NoRanking without one."""
    day = stored_day(conn, slug, last)
    if day is not None:
        return day
    known = known_days(conn, slug)
    before = [day for day in known if last is None or day <= last]
    if before:
        raise _archived(slug, max(before))
    if last is None or not known:
        raise never_ranked(conn, slug)
    remedy = "" if _is_absent(conn, slug, last) else _sync(slug, last)
    raise NoRanking(f"{slug}: no ranking is stored on or before {last}; the first stored is {min(known)}{remedy}")


def chosen_day(conn: Connection, slug: str, day: date | None, *, today: date) -> date:
    """The day itself, once its ranking is found to be in the database; the newest day for None. Raises NoRanking."""
    if day is None:
        return newest_day(conn, slug)
    if stored_day(conn, slug, day) == day:
        return day
    known = known_days(conn, slug)
    if not known:
        raise never_ranked(conn, slug)
    if day in known:
        raise _archived(slug, day)
    before = [other for other in known if other < day]
    near = f"the nearest stored before it is {max(before)}" if before else f"the first stored is {min(known)}"
    if day > today:
        raise NoRanking(f"{slug}: no ranking of {day} is stored, for the day is still to come; {near}")
    if _is_absent(conn, slug, day):
        raise NoRanking(f"{slug}: no ranking of {day} is stored, for Soundcharts lists none; {near}")
    raise NoRanking(f"{slug}: no ranking of {day} is stored; {near}{_sync(slug, day)}")


def known_days(conn: Connection, slug: str) -> set[date]:
    """The days of the chart whose ranking is in the database or in the archive."""
    t = s.chart_rankings
    here = conn.scalars(select(t.c.rank_date).distinct().where(t.c.chart_slug == slug))
    return {*here, *archived_days(conn, ChartDays(slug, date.min, date.max))}


def never_ranked(conn: Connection, slug: str) -> NoRanking:
    """What to say of a chart of which nothing is stored."""
    t = s.chart_rankings
    stored = list(conn.scalars(select(t.c.chart_slug).distinct().order_by(t.c.chart_slug)))
    near = nearest(slug, stored)
    remedy = f"write {near!r}" if near else f"stored are {', '.join(stored) or 'none'}"
    return NoRanking(f"no ranking of {slug!r} is stored; {remedy}")


def _archived(slug: str, day: date) -> NoRanking:
    month, then = month_of(day), month_of(after(day))
    return NoRanking(
        f"{slug}: the ranking of {day} is in the archive, which is asked for rankings and series alone; "
        f"`soundcharts-pipeline restore-archive --from {month} --before {then}` brings the month back"
    )


def _is_absent(conn: Connection, slug: str, day: date) -> bool:
    """Whether the list of rankings was read for the day and has none."""
    d = s.ranking_days.c
    noted = (d.chart_slug == slug, d.rank_date == day, d.published_at.is_(None))
    return conn.scalar(select(d.rank_date).where(*noted)) is not None


def _sync(slug: str, day: date) -> str:
    return f"; `soundcharts-pipeline sync {slug} --date {day}` asks for it"
