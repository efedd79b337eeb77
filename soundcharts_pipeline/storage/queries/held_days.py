"""Which chart-days the warehouse holds. Dagster's events tell what was done once; a backup that was restored since, by
whatever means, knows nothing of it."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import Connection, select

from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s


class KnownDay(Protocol):
    """What is noted of a chart on a day, as a row of `ranking_days` has it."""

    @property
    def rank_date(self) -> date: ...
    @property
    def published_at(self) -> str | None: ...
    @property
    def saved_at(self) -> datetime | None: ...
    @property
    def completed_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class HeldDays:
    """By chart: `ranked` are days whose ranking is stored, here or in the archive, or that certainly have none; `whole`
    those of them of which all that the chart asked for was stored. What is not noted at all is neither."""

    ranked: Mapping[str, Collection[date]]
    whole: Mapping[str, Collection[date]]


def is_ranked(day: KnownDay) -> bool:
    """Its ranking is stored, or it is confirmed that there is none."""
    return day.saved_at is not None or day.published_at is None


def is_whole(day: KnownDay, archived: Collection[date]) -> bool:
    """All of it was stored. Of a day in the archive (`archived`: first days of months) what it lacks cannot be told
    from here, and it is left alone."""
    complete = day.saved_at is None or day.completed_at is not None or day.rank_date.replace(day=1) in archived
    return is_ranked(day) and complete


def archived_rankings(conn: Connection) -> set[date]:
    """The first days of the months whose rankings went to the archive."""
    a = b.archived_months.c
    return set(conn.scalars(select(a.month).where(a.table_name == s.chart_rankings.name)))


def held_days(conn: Connection, wanted: Mapping[str, Collection[date]]) -> HeldDays:
    """Those of the wanted days, by chart, that are held. One query over all of them, and one for the archive."""
    days = [day for of_chart in wanted.values() for day in of_chart]
    ranked: defaultdict[str, set[date]] = defaultdict(set)
    whole: defaultdict[str, set[date]] = defaultdict(set)
    if not days:
        return HeldDays(ranked, whole)
    d, archived = s.ranking_days.c, archived_rankings(conn)
    query = select(d.chart_slug, d.rank_date, d.published_at, d.saved_at, d.completed_at)
    for row in conn.execute(query.where(d.chart_slug.in_(wanted), d.rank_date.between(min(days), max(days)))):
        if is_ranked(row):
            ranked[row.chart_slug].add(row.rank_date)
        if is_whole(row, archived):
            whole[row.chart_slug].add(row.rank_date)
    return HeldDays(ranked, whole)
