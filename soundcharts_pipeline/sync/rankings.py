"""One chart's rankings: which of its days are to be fetched, and the rankings themselves."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound, NotInPlan, QuotaExhausted, SoundchartsError, TransientError
from soundcharts_pipeline.clock import last_ranking_day
from soundcharts_pipeline.config.settings import BadUse, ChartSettings
from soundcharts_pipeline.models import ChartDays, PublishedRanking, Ranking
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.queries.worklists import RankingDay
from soundcharts_pipeline.storage.saves import save_ranking
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.fanout import fan_out
from soundcharts_pipeline.sync.ranking_list import ListedRankings, NotListed, RankingRefused, list_published
from soundcharts_pipeline.sync.report import SyncIncomplete, SyncReport, still_to_do
from soundcharts_pipeline.sync.shared_worklist import claimed
from soundcharts_pipeline.sync.versions import PUBLISHED_AGAIN, StoredVersion
from soundcharts_pipeline.sync.worklist import Answer, Worklist


class NotPublished(NotFound):
    """The ranking of this day is not out yet."""


def sync_rankings(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    """The rankings of a chart on the given days (contiguous, oldest first), each saved as a whole.

    Costs one call per 100 places of a ranking that is not saved yet, of which a later version is listed
    (`refresh_rankings`) or of which places could not be read a day ago, and one or more for the list of rankings when
    it is not known whether a day is published. A day without a ranking that is older than the newest one is noted as
    such. Raises SyncIncomplete by NotPublished when a day is newer than that and by NotListed when the list does not
    say, after saving the others, UnknownChart with the nearest slugs, and RankingRefused when a known chart's list of
    rankings is not found.
    """
    calls_before = ctx.client.usage.calls
    todo = due_rankings(ctx, chart, days)
    if unlisted_days(ctx, chart, todo):
        # Runs that overlap ask the list of rankings once.
        with claimed(ctx.warehouse, f"published/{chart.slug}"):
            published, unpublished, listed = _published(ctx, chart, due_rankings(ctx, chart, days))
    else:
        published, unpublished, listed = _published(ctx, chart, todo)
    report = fan_out(ctx, published, _Rankings(ctx, chart, unpublished))
    report.calls = ctx.client.usage.calls - calls_before
    if listed is not None and unpublished:
        _refuse_unpublished(chart.slug, unpublished, listed, report)
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
) -> tuple[list[PublishedRanking], list[date], ListedRankings | None]:
    """The rankings to fetch for these days, the days of which none is listed, and the list if it was asked."""
    known = _known(ctx, chart, todo)
    published = {day: k for day in todo if (k := listed_ranking(ctx, known[day])) is not None}
    unknown = [day for day in todo if day not in published]
    if not unknown:
        return [published[day] for day in todo], [], None
    try:
        listed = list_published(ctx, chart.slug, wanted=unknown)
    except (QuotaExhausted, TransientError) as error:
        ctx.watcher.remaining(todo)
        raise still_to_do("rankings", error, SyncReport(asked=len(todo), remaining=len(todo))) from error
    unpublished = []
    for day in unknown:
        before = known[day]
        if day in listed.days:
            published[day] = listed.days[day]
        elif before and before.saved_at:
            # It was published once. A plan without the list of rankings may still have it; a list without it has not.
            if before.published_at and day not in listed.absent:
                published[day] = PublishedRanking(day, before.published_at)
        elif day not in listed.absent:
            unpublished.append(day)
    return [published[day] for day in sorted(published)], unpublished, listed


def due_rankings(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[date]:
    """Days whose ranking is neither saved in its newest known version nor confirmed, not long ago, to be missing."""
    return [day for day, known in _known(ctx, chart, days).items() if not _is_settled(ctx, chart, known)]


def unlisted_days(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[date]:
    """Those of the days (oldest first) for which a sync would read the list of rankings. Makes no call."""
    known = _known(ctx, chart, due_rankings(ctx, chart, days))
    return [day for day in known if listed_ranking(ctx, known[day]) is None]


def days_due_again(ctx: SyncContext, chart: ChartSettings) -> list[date]:
    """Stored days of the last `heal_days` of which a later version is listed, or places could not be read a day ago;
    oldest first. Makes no call."""
    now = ctx.clock()
    with ctx.warehouse.read() as conn:
        return worklists.due_again(conn, span_to_heal(chart, now), now, refresh=chart.refresh_rankings)


def late_days(ctx: SyncContext, chart: ChartSettings) -> set[date]:
    """Days whose runs are over, for they had no ranking then, and of which one is listed now. Makes no call."""
    with ctx.warehouse.read() as conn:
        return worklists.listed_late(conn, chart.slug)


def changed_days(ctx: SyncContext, days: ChartDays) -> dict[date, datetime]:
    """Stored days whose ranking took the place of another one, and when (by the machine's clock). Makes no call."""
    with ctx.warehouse.read() as conn:
        known = worklists.ranking_days(conn, days)
    return {day: of.changed_at for day, of in known.items() if of.saved_at and of.changed_at}


def span_to_heal(chart: ChartSettings, now: datetime) -> ChartDays:
    """The days of the chart on which what was lost, or published again, is fetched without being asked for."""
    first = max(chart.first_date, now.date() - timedelta(days=chart.heal_days))
    return ChartDays(chart.slug, first, last_ranking_day(now))


def find_published(ctx: SyncContext, chart: ChartSettings) -> list[date]:
    """Every published day since the chart's first date (with `sync_history` off only the newest), oldest first.

    Asks the list of rankings: one call, more only while days of the past are not known yet.
    """
    now = ctx.clock()
    today, latest = now.date(), last_ranking_day(now)
    with ctx.warehouse.read() as conn:
        known = worklists.ranking_days(conn, ChartDays(chart.slug, chart.first_date, today))
    span = (today - chart.first_date).days + 1 if chart.sync_history else 0
    days = [chart.first_date + timedelta(days=n) for n in range(span)]
    listed = list_published(ctx, chart.slug, wanted=[day for day in days if day not in known])
    if not chart.sync_history:
        return [listed.newest] if listed.newest and listed.newest >= chart.first_date else []
    with ctx.warehouse.read() as conn:
        return [day for day in worklists.published_days(conn, chart.slug) if chart.first_date <= day <= latest]


def _is_settled(ctx: SyncContext, chart: ChartSettings, day: RankingDay | None) -> bool:
    """Saved in its newest known version, with all places that could be read not long ago, or confirmed not long ago
    that there is none."""
    if day is None:
        return False
    if day.saved_at is None:
        oldest_check = ctx.clock() - timedelta(days=chart.metadata_refresh_days)
        return day.published_at is None and day.checked_at >= max(oldest_check, ctx.known_since or oldest_check)
    is_old = ctx.known_since is not None and day.saved_at < ctx.known_since
    return not is_old and not day.is_due_again(ctx.clock(), refresh=chart.refresh_rankings)


def listed_ranking(ctx: SyncContext, day: RankingDay | None) -> PublishedRanking | None:
    """What asks for the day's ranking; None when the list of rankings is to be read first."""
    if day is None or day.published_at is None:
        return None
    is_old = ctx.known_since is not None and day.checked_at < ctx.known_since
    return None if is_old else PublishedRanking(day.day, day.published_at)


class _Rankings(Worklist[PublishedRanking, Ranking]):
    """Published rankings that are to be fetched; of the days `unpublished` none is listed."""

    noun = "rankings"

    def __init__(self, ctx: SyncContext, chart: ChartSettings, unpublished: Sequence[date]) -> None:
        self._ctx, self._chart, self._unpublished = ctx, chart, unpublished

    def fetch(self, asked: PublishedRanking) -> Ranking:
        slug = self._chart.slug
        try:
            ranking = self._ctx.client.ranking(asked, slug)
        except (NotFound, NotInPlan) as error:
            # A listed ranking that cannot be had is no answer: the day must not count as done.
            raise RankingRefused(f"the ranking of {slug} of {asked.day} is listed, but {error}") from error
        if not ranking.entries:
            raise RankingRefused(f"the ranking of {slug} of {asked.day} is listed, but has no places; try again later")
        return ranking

    def save(self, conn: Connection, answers: list[Answer[PublishedRanking, Ranking]]) -> int:
        return sum(self._save(conn, asked, got) for asked, got in answers if isinstance(got, Ranking))

    def _save(self, conn: Connection, asked: PublishedRanking, ranking: Ranking) -> int:
        before, now = StoredVersion(conn, ranking.chart.slug, asked), self._ctx.clock()
        rows = save_ranking(conn, ranking, asked, now, is_final=before.is_final(ranking, now))
        if moved := before.told(ranking):
            self._ctx.watcher.note(asked.day, PUBLISHED_AGAIN, moved)
        return rows

    def subjects(self, asked: PublishedRanking) -> list[str]:
        return [f"{self._chart.slug}/{asked.day}"]

    def still_due(self, conn: Connection, asked: Sequence[PublishedRanking]) -> list[PublishedRanking]:
        first, last = min(ranking.day for ranking in asked), max(ranking.day for ranking in asked)
        known = worklists.ranking_days(conn, ChartDays(self._chart.slug, first, last))
        due = [ranking for ranking in asked if not _is_settled(self._ctx, self._chart, known.get(ranking.day))]
        # Whoever else reads the list of rankings may have found a later version by now.
        return [listed_ranking(self._ctx, known.get(ranking.day)) or ranking for ranking in due]

    def days(self, asked: PublishedRanking) -> list[date]:
        return [asked.day]

    def also_left(self) -> Sequence[date]:
        return self._unpublished


def _refuse_unpublished(slug: str, days: Sequence[date], listed: ListedRankings, report: SyncReport) -> None:
    latest = f"the newest published day is {listed.newest}" if listed.newest else "it has no ranking at all yet"
    cause: SoundchartsError = NotPublished(
        f"{slug} has no ranking for {_span(days)} yet: {latest}. Run that day, or this one once it is out"
    )
    if unknown := [day for day in days if listed.is_unknown(day)]:
        cause = NotListed(
            f"it is not known whether {slug} has a ranking for {_span(unknown)}: {listed.gap}; "
            f"{latest if listed.newest else 'none is listed'}. Nothing is noted of these days, run them again"
        )
    report.remaining += len(days)
    raise SyncIncomplete(str(cause), cause=cause, report=report)


def _span(days: Sequence[date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"


def newest_day(ctx: SyncContext, chart: ChartSettings, *, wanted: Sequence[date] = ()) -> date:
    """The newest published day. One call; with `wanted` the list of rankings is read as far as these days, so that what
    follows need not.

    Raises NotPublished when there is none, BadUse when the chart begins after it.
    """
    newest = list_published(ctx, chart.slug, wanted=wanted).newest
    ctx.client.rest()  # what follows is the work of others: the process of a run, or its resource
    if newest is None:
        raise NotPublished(f"{chart.slug} has no ranking at all yet; try again later")
    if newest < chart.first_date:
        raise BadUse(
            f"the newest ranking of {chart.slug} is of {newest}, before its first_date {chart.first_date}; "
            "set an earlier first_date in charts.yaml, or try again later"
        )
    return newest
