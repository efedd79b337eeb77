"""The list of a chart's rankings: which days are published, and which certainly are not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound, NotInPlan, SoundchartsError
from soundcharts_pipeline.clock import last_ranking_day
from soundcharts_pipeline.models import PublishedRanking, is_later
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.saves import save_published, save_unpublished
from soundcharts_pipeline.sync.catalog import each_platform
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.wording import nearest_ones


class UnknownChart(NotFound):
    """The catalog has no chart of this slug."""


class RankingRefused(SoundchartsError):
    """A published ranking, or the list of them of a known chart, that the API does not give."""


@dataclass(frozen=True, slots=True)
class ListedRankings:
    """What the list of rankings said: days with a ranking, wanted days that certainly have none, the newest."""

    days: dict[date, PublishedRanking]
    absent: frozenset[date]
    newest: date | None


def list_published(ctx: SyncContext, slug: str, *, wanted: Sequence[date]) -> ListedRankings:
    """Ask the list of rankings until every wanted day is found or certainly absent, and save what it said.

    One call as a rule: the list is newest first. It is left early only while it has proven to be in that order.
    Raises UnknownChart with the nearest slugs, RankingRefused for a chart that is known, and as the client does.
    """
    found: dict[date, PublishedRanking] = {}
    previous: date | None = None
    latest = last_ranking_day(ctx.clock())
    descending, certain = True, True
    try:
        for page in ctx.client.published_rankings(slug):
            for ranking in page:
                if ranking is None:
                    certain = False
                    continue
                descending &= previous is None or ranking.day <= previous
                previous = ranking.day
                if ranking.day > latest:
                    ctx.watcher.progress(f"the ranking of {ranking.day} is left out: none is dated after {latest} yet")
                    continue
                # Of several rankings of one day the latest counts.
                if ranking.day not in found or is_later(ranking.timestamp, found[ranking.day].timestamp):
                    found[ranking.day] = ranking
            passed = descending and previous is not None and bool(wanted) and previous < min(wanted)
            if passed or (descending and all(day in found for day in wanted)):
                break
        else:
            certain &= not _lacks_most(ctx, slug, found)
    except NotInPlan:
        # A plan without the list of rankings still has the newest one.
        _, newest = ctx.client.newest_ranking(slug)
        found, certain = {newest.day: newest}, False
    except NotFound as error:
        raise _no_list(ctx, slug, error) from error
    newest_day = max(found, default=None)
    absent = frozenset(d for d in wanted if certain and d not in found and newest_day is not None and d < newest_day)
    now = ctx.clock()

    def work(conn: Connection) -> None:
        save_published(conn, slug, found.values(), now)
        save_unpublished(conn, slug, absent, now)
        ctx.keep_books(conn, 0, len(wanted))

    ctx.save(work)
    return ListedRankings(found, absent, newest_day)


def _lacks_most(ctx: SyncContext, slug: str, found: Collection[date]) -> bool:
    """The whole list lacks more of the days that it once had than it has: it says nothing of the others."""
    with ctx.warehouse.read() as conn:
        known = worklists.published_days(conn, slug)
    return sum(day not in found for day in known) > len(found)


def _no_list(ctx: SyncContext, slug: str, error: NotFound) -> SoundchartsError:
    near = nearest_charts(ctx, slug)
    if slug in near:
        return RankingRefused(
            f"the list of rankings of {slug!r}, a chart that is known, was refused: {error}; try again later, and if "
            "it stays so look whether the chart has another slug now, with `soundcharts-pipeline charts search`",
            endpoint=error.endpoint,
            status=error.status,
        )
    hint = f"did you mean {', '.join(near)}? Else find" if near else "find"
    return UnknownChart(
        f"Soundcharts has no chart {slug!r}: {hint} charts with `soundcharts-pipeline charts search`, "
        "then correct charts.yaml",
        endpoint=error.endpoint,
        status=error.status,
    )


def nearest_charts(ctx: SyncContext, slug: str) -> list[str]:
    """Slugs that look alike, from the charts met so far; an empty warehouse is given the catalog first
    (a call per 100 charts, once)."""
    with ctx.warehouse.read() as conn:
        slugs = worklists.chart_slugs(conn)
    near = nearest_ones(slug, slugs, most=3)
    if near:
        return near
    for _, charts in each_platform(ctx):
        slugs += [chart.slug for chart in charts]
    return nearest_ones(slug, slugs, most=3)
