"""The list of a chart's rankings: which days are published, and which certainly are not."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import IncompleteAnswer, NotFound, NotInPlan, SoundchartsError, UnexpectedPayload
from soundcharts_pipeline.clock import last_ranking_day
from soundcharts_pipeline.models import PublishedRanking, is_later
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.saves import save_published, save_unpublished
from soundcharts_pipeline.sync.catalog import fill_catalog
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.wording import nearest_ones


class UnknownChart(NotFound):
    """The catalog has no chart of this slug."""


class RankingRefused(SoundchartsError):
    """A published ranking, or the list of them of a known chart, that the API does not give."""


class NotListed(SoundchartsError):
    """Days of which the list of rankings does not say whether they have one, for it did not come whole."""


@dataclass(frozen=True, slots=True)
class ListedRankings:
    """What the list of rankings said: days with a ranking, wanted days that certainly have none, the newest. `gap` is
    why a day that is neither may have a ranking all the same; empty where the list told enough."""

    days: dict[date, PublishedRanking]
    absent: frozenset[date]
    newest: date | None
    gap: str = ""

    def is_unknown(self, day: date) -> bool:
        """Whether the day may have a ranking that the list did not get to. One after the newest is not out yet."""
        return bool(self.gap) and day not in self.days and (self.newest is None or day < self.newest)


def list_published(ctx: SyncContext, slug: str, *, wanted: Sequence[date]) -> ListedRankings:
    """Ask the list of rankings until every wanted day is found or certainly absent, and save what it said.

    One call as a rule: the list is newest first. It is left early only while it has proven to be in that order.
    Of a list whose later pages are refused the days before them are kept.
    Raises UnknownChart with the nearest slugs, RankingRefused for a chart that is known, and as the client does.
    """
    found, gap = _read(ctx, slug, wanted)
    newest = max(found, default=None)
    certain = newest is not None and not gap
    absent = frozenset(d for d in wanted if certain and d not in found and newest is not None and d < newest)
    now = ctx.clock()

    def work(conn: Connection) -> None:
        save_published(conn, slug, found.values(), now)
        save_unpublished(conn, slug, absent, now)
        ctx.keep_books(conn, 0, len(wanted))

    ctx.save(work)
    return ListedRankings(found, absent, newest, gap)


def _read(ctx: SyncContext, slug: str, wanted: Sequence[date]) -> tuple[dict[date, PublishedRanking], str]:
    """The days of the list, as far as it has to be read, and its gap."""
    found: dict[date, PublishedRanking] = {}
    previous: date | None = None
    descending, gap = True, ""
    try:
        for page in ctx.client.published_rankings(slug):
            for ranking in page:
                if ranking is None:
                    gap = "one of the days on the list of rankings cannot be read"
                    continue
                descending &= previous is None or ranking.day <= previous
                previous = ranking.day
                _take(ctx, ranking, found)
            passed = previous is not None and bool(wanted) and previous <= min(wanted)
            if descending and (passed or all(day in found for day in wanted)):
                return found, gap
    except NotInPlan as error:
        # A plan without the list of rankings still has the newest one.
        _, newest = ctx.client.newest_ranking(slug)
        return {newest.day: newest}, f"the list of rankings is refused, all but the newest one ({error})"
    except NotFound as error:
        raise _no_list(ctx, slug, error) from error
    except IncompleteAnswer as error:
        if error.status is None:
            raise
        return found, f"the list of rankings is refused before its end ({error.__cause__})"
    return found, "the list of rankings lacks most of the days it had before" if _lacks_most(ctx, slug, found) else gap


def _take(ctx: SyncContext, ranking: PublishedRanking, found: dict[date, PublishedRanking]) -> None:
    if ranking.day > (latest := last_ranking_day(ctx.clock())):
        ctx.watcher.progress(f"the ranking of {ranking.day} is left out: none is dated after {latest} yet")
    # Of several rankings of one day the latest counts.
    elif ranking.day not in found or is_later(ranking.timestamp, found[ranking.day].timestamp):
        found[ranking.day] = ranking


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
    """Slugs that look alike, from the charts met so far. Where none does, the catalog is read first, unless it was (a
    call per 100 charts, once): it may hold one."""
    if near := _nearest_saved(ctx, slug):
        return near
    # What refuses the catalog alone does not make the chart known; what could be read is saved.
    with suppress(NotInPlan, IncompleteAnswer, UnexpectedPayload):
        fill_catalog(ctx)
    return _nearest_saved(ctx, slug)


def _nearest_saved(ctx: SyncContext, slug: str) -> list[str]:
    with ctx.warehouse.read() as conn:
        return nearest_ones(slug, worklists.chart_slugs(conn), most=3)
