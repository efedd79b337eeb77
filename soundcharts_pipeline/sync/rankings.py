"""One chart's rankings: which of its days are published, and the rankings themselves."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound, NotInPlan, QuotaExhausted, SoundchartsError, TransientError
from soundcharts_pipeline.models import PublishedRanking, Ranking
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.saves import save_published, save_ranking, save_unpublished
from soundcharts_pipeline.storage.worklists import ChartDays, RankingDay
from soundcharts_pipeline.sync.catalog import each_platform
from soundcharts_pipeline.sync.claimed import claimed
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.fanout import Answer, Task, fan_out, still_to_do
from soundcharts_pipeline.sync.report import SyncIncomplete, SyncReport


class UnknownChart(NotFound):
    """The catalogue has no chart of this slug."""


class RankingRefused(SoundchartsError):
    """A published ranking that the API does not give."""


class NotPublished(NotFound):
    """The ranking of this day is not out yet."""


@dataclass(frozen=True, slots=True)
class _Published:
    """What the list of rankings said: days with a ranking, wanted days that certainly have none, the newest."""

    days: dict[date, PublishedRanking]
    absent: frozenset[date]
    newest: date | None


def sync_rankings(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    """The rankings of a chart on the given days (contiguous, oldest first), each saved as a whole.

    Costs one call per 100 places of a ranking that is not saved yet, and one or more for the list of rankings
    when it is not known whether a day is published. A day without a ranking that is older than the newest one is
    noted as such. Raises SyncIncomplete by NotPublished when a day is newer than that, after saving the others, and
    UnknownChart with the nearest slugs.
    """
    calls_before = ctx.client.usage.calls
    todo = due_rankings(ctx, chart, days)
    if any(_timestamp(known) is None for known in _known(ctx, chart, todo).values()):
        # Runs that overlap ask the list of rankings once.
        with claimed(ctx.warehouse, f"published/{chart.slug}"):
            published, unpublished, newest = _published(ctx, chart, due_rankings(ctx, chart, days))
    else:
        published, unpublished, newest = _published(ctx, chart, todo)
    report = _fetch(ctx, chart.slug, published, unpublished)
    report.calls = ctx.client.usage.calls - calls_before
    if unpublished:
        _refuse_unpublished(chart.slug, unpublished, newest, report)
    return report


def _known(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> dict[date, RankingDay | None]:
    """What the warehouse knows of each day."""
    if not days:
        return {}
    with ctx.warehouse.read() as conn:
        known = worklists.ranking_days(conn, ChartDays(chart.slug, days[0], days[-1]))
    return {day: known.get(day) for day in days}


def _published(
    ctx: SyncContext, chart: ChartSettings, todo: Sequence[date]
) -> tuple[list[PublishedRanking], list[date], date | None]:
    """The rankings to fetch for these days, the days that have none yet, and the newest published one if asked."""
    published = {day: k for day, known in _known(ctx, chart, todo).items() if (k := _timestamp(known)) is not None}
    unknown = [day for day in todo if day not in published]
    if not unknown:
        return [published[day] for day in todo], [], None
    try:
        listed = list_published(ctx, chart.slug, wanted=unknown)
    except (QuotaExhausted, TransientError) as error:
        ctx.watcher.left(todo)
        raise still_to_do("rankings", error, SyncReport(asked=len(todo), remaining=len(todo))) from error
    published |= {day: listed.days[day] for day in unknown if day in listed.days}
    unpublished = [day for day in unknown if day not in listed.days and day not in listed.absent]
    return [published[day] for day in sorted(published)], unpublished, listed.newest


def due_rankings(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[date]:
    """Days whose ranking is neither saved nor confirmed, not long ago, to be missing."""
    oldest_check = ctx.clock() - timedelta(days=chart.metadata_refresh_days)
    return [day for day, known in _known(ctx, chart, days).items() if not _is_settled(known, oldest_check)]


def find_published(ctx: SyncContext, chart: ChartSettings) -> list[date]:
    """Every published day since the chart's first date (with `sync_history` off only the newest), oldest first.

    Asks the list of rankings: one call, more only while days of the past are not known yet.
    """
    today = ctx.clock().date()
    with ctx.warehouse.read() as conn:
        known = worklists.ranking_days(conn, ChartDays(chart.slug, chart.first_date, today))
    span = (today - chart.first_date).days + 1 if chart.sync_history else 0
    days = [chart.first_date + timedelta(days=n) for n in range(span)]
    listed = list_published(ctx, chart.slug, wanted=[day for day in days if day not in known])
    if not chart.sync_history:
        return [listed.newest] if listed.newest and listed.newest >= chart.first_date else []
    with ctx.warehouse.read() as conn:
        return [day for day in worklists.published_days(conn, chart.slug) if day >= chart.first_date]


def list_published(ctx: SyncContext, slug: str, *, wanted: Sequence[date]) -> _Published:
    """Ask the list of rankings until every wanted day is found or certainly absent, and save what it said.

    One call as a rule: the list is newest first. It is left early only while it has proven to be in that order.
    """
    found: dict[date, PublishedRanking] = {}
    previous: date | None = None
    descending, certain = True, True
    try:
        for page in ctx.client.published_rankings(slug):
            for ranking in page:
                descending &= previous is None or ranking.day <= previous
                previous = ranking.day
                # Of several rankings of one day the latest counts.
                if ranking.day not in found or ranking.timestamp > found[ranking.day].timestamp:
                    found[ranking.day] = ranking
            passed = descending and previous is not None and bool(wanted) and previous < min(wanted)
            if passed or (descending and all(day in found for day in wanted)):
                break
    except NotInPlan:
        # A plan without the list of rankings still has the newest one.
        _, newest = ctx.client.newest_ranking(slug)
        found, certain = {newest.day: newest}, False
    except NotFound as error:
        raise _unknown_chart(ctx, slug, error) from error
    newest_day = max(found, default=None)
    absent = frozenset(d for d in wanted if certain and d not in found and newest_day is not None and d < newest_day)
    with ctx.warehouse.write() as conn:
        now = ctx.clock()
        save_published(conn, slug, found.values(), now)
        save_unpublished(conn, slug, absent, now)
        ctx.keep_books(conn, 0, len(wanted))
    return _Published(found, absent, newest_day)


def _is_settled(day: RankingDay | None, oldest_check: datetime) -> bool:
    """Saved, or confirmed not long ago that there is none."""
    if day is None:
        return False
    return day.saved_at is not None or (day.published_at is None and day.checked_at >= oldest_check)


def _timestamp(day: RankingDay | None) -> PublishedRanking | None:
    return None if day is None or day.published_at is None else PublishedRanking(day.day, day.published_at)


def _fetch(
    ctx: SyncContext, slug: str, published: Sequence[PublishedRanking], unpublished: Sequence[date]
) -> SyncReport:
    def save(conn: Connection, answers: list[Answer[PublishedRanking, Ranking]]) -> int:
        rows = 0
        for asked, ranking in answers:
            if isinstance(ranking, Ranking):
                rows += save_ranking(conn, ranking, asked, ctx.clock())
        return rows

    def fetch(asked: PublishedRanking) -> Ranking:
        try:
            return ctx.client.ranking(asked, slug)
        except (NotFound, NotInPlan) as error:
            # A listed ranking that cannot be had is no answer: the day must not count as done.
            raise RankingRefused(f"the ranking of {slug} of {asked.day} is listed, but {error}") from error

    def still_due(conn: Connection, asked: Sequence[PublishedRanking]) -> list[PublishedRanking]:
        first, last = min(ranking.day for ranking in asked), max(ranking.day for ranking in asked)
        known = worklists.ranking_days(conn, ChartDays(slug, first, last))
        return [ranking for ranking in asked if ranking.day not in known or known[ranking.day].saved_at is None]

    task = Task(
        noun="rankings",
        fetch=fetch,
        save=save,
        subjects=lambda ranking: [f"{slug}/{ranking.day}"],
        still_due=still_due,
        days=lambda ranking: [ranking.day],
        also_left=lambda: unpublished,
    )
    return fan_out(ctx, published, task)


def _refuse_unpublished(slug: str, days: Sequence[date], newest: date | None, report: SyncReport) -> None:
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    latest = f"the newest published day is {newest}" if newest else "it has no ranking at all yet"
    cause = NotPublished(f"{slug} has no ranking for {span} yet: {latest}. Run that day, or this one once it is out")
    report.remaining += len(days)
    raise SyncIncomplete(str(cause), cause=cause, report=report)


def _unknown_chart(ctx: SyncContext, slug: str, error: NotFound) -> UnknownChart:
    near = nearest_charts(ctx, slug)
    hint = f"did you mean {', '.join(near)}? Else find" if near else "find"
    return UnknownChart(
        f"Soundcharts has no chart {slug!r}: {hint} charts with `soundcharts-pipeline charts search`, "
        "then correct charts.yaml",
        endpoint=error.endpoint,
        status=error.status,
    )


def nearest_charts(ctx: SyncContext, slug: str) -> list[str]:
    """Slugs that look alike, from the charts met so far; an empty warehouse is given the catalogue first
    (a call per 100 charts, once)."""
    with ctx.warehouse.read() as conn:
        slugs = worklists.chart_slugs(conn)
    near = difflib.get_close_matches(slug, slugs, n=3)
    if near:
        return near
    for _, charts in each_platform(ctx):
        slugs += [chart.slug for chart in charts]
    return difflib.get_close_matches(slug, slugs, n=3)
