"""What a chart would cost by itself, before and after a change: calls of the newest day, and of all since first_date.

The plan counts days one by one. Of a long history it counts the newest days and goes on in a straight line, by what
the last WINDOW_DAYS of them add: so many days are one more window of every series.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.config.cascade import scheduled_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ONE_DAY, ChartDays
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.planning.forecast import Count
from soundcharts_pipeline.sync.planning.plan import Allowance, plan_cascade
from soundcharts_pipeline.sync.planning.sentences import places_assumed, told

# Days that are counted one by one, and so many that a window's length lies between the two.
COUNTED_DAYS = 100
FEWER_DAYS = COUNTED_DAYS - WINDOW_DAYS
NOTHING = Count(0, estimate=False, basis="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Calls by asset: of the newest day, and of the whole history that is to be synced, as far as it is not stored;
    the places that were assumed (None: they are known)."""

    newest_day: date
    days: int = 0
    newest: dict[str, Count] = field(default_factory=dict)
    history: dict[str, Count] = field(default_factory=dict)
    assumed_places: int | None = None

    @property
    def total(self) -> Count:
        return _sum(self.history.values())


@dataclass(frozen=True, slots=True)
class Row:
    """An asset with its calls as they are shown: of the newest day and of the history, each before and after."""

    asset: str
    newest: tuple[str, str]
    history: tuple[str, str]


def price_of(ctx: SyncContext, settings: Settings, chart: ChartSettings) -> Price:
    """What the chart's schedule asks by itself. Makes no call."""
    today = ctx.clock().date()
    with ctx.warehouse.read() as conn:
        known = worklists.newest_ranking(conn, chart.slug)
        # Of today no radio plays are asked, and its ranking may not be out.
        newest = known.day if known else min(today, max(today - ONE_DAY, chart.first_date))
        span = ChartDays(chart.slug, chart.first_date, newest)
        saved = [day for day, of_it in worklists.ranking_days(conn, span).items() if of_it.saved_at is not None]
    keys = scheduled_keys(settings, chart) if chart.active else []
    if newest < chart.first_date or not keys:
        return Price(newest_day=newest)
    first = chart.first_date if chart.sync_history else newest
    # Days before the oldest stored one are all to be fetched; those behind it, what is missing of them.
    parts = [(first, newest)]
    if saved and first < min(saved):
        parts = [(first, min(saved) - ONE_DAY), (min(saved), newest)]
    newest_plan = plan_cascade(ctx, chart, [newest], keys)
    histories = [_calls(ctx, chart, _days(*part), keys) for part in parts]
    return Price(
        newest_day=newest,
        days=(newest - first).days + 1,
        newest=newest_plan.counts,
        history={key: _sum(counts[key] for counts, _ in histories) for key in keys},
        # The newest may be stored, in the archive even, where others are not.
        assumed_places=newest_plan.assumed_places or next((places for _, places in histories if places), None),
    )


def asks_the_same(one: ChartSettings, other: ChartSettings) -> bool:
    """Whether two settings of a chart differ in nothing that a plan counts."""
    return one == replace(other, name=one.name, schedule=one.schedule, timezone=one.timezone, report=one.report)


def _days(first: date, last: date) -> list[date]:
    return [first + ONE_DAY * number for number in range((last - first).days + 1)]


def _calls(
    ctx: SyncContext, chart: ChartSettings, days: Sequence[date], keys: Sequence[str]
) -> tuple[dict[str, Count], int | None]:
    """By asset, and the places that were assumed."""
    plan = plan_cascade(ctx, chart, days[-COUNTED_DAYS:], keys)
    if len(days) <= COUNTED_DAYS:
        return plan.counts, plan.assumed_places
    fewer = plan_cascade(ctx, chart, days[-FEWER_DAYS:], keys).counts
    more = (len(days) - COUNTED_DAYS) / (COUNTED_DAYS - FEWER_DAYS)
    counts = {
        key: Count(count.calls + round(more * max(0, count.calls - fewer[key].calls)), estimate=True, basis="")
        for key, count in plan.counts.items()
    }
    return counts, plan.assumed_places


def _sum(counts: Iterable[Count]) -> Count:
    found = list(counts)
    return Count(sum(one.calls for one in found), any(one.estimate for one in found), "")


def rows_of(before: Price | None, after: Price) -> list[Row]:
    """One row for each asset that costs a call before or after, and the total. Nothing is shown before a new chart."""
    first = before or Price(newest_day=after.newest_day)
    keys = [key for key in dict.fromkeys([*after.history, *first.history]) if _any(key, first, after)]
    rows = [
        Row(
            key,
            (_told(first.newest.get(key, NOTHING)), _told(after.newest.get(key, NOTHING))),
            (_told(first.history.get(key, NOTHING)), _told(after.history.get(key, NOTHING))),
        )
        for key in keys
    ]
    newest = (_told(_sum(first.newest.values())), _told(_sum(after.newest.values())))
    return [*rows, Row("in all", newest, (_told(first.total), _told(after.total)))]


def _any(key: str, *prices: Price) -> bool:
    return any(of.get(key, NOTHING).calls for price in prices for of in (price.newest, price.history))


def _told(count: Count) -> str:
    return told(count.calls, estimate=count.estimate)


def sentences_of(chart: ChartSettings, price: Price, allowance: Allowance) -> list[str]:
    """What the figures rest on, against quota and minute."""
    if not chart.active:
        return ["`active` is false: nothing of it is asked until somebody launches it."]
    said = ["Each tick of the schedule is 1 call more, whether there is news or not."]
    if price.days == 0:
        return [*said, f"Its newest ranking is of {price.newest_day}, before its first_date: nothing else is asked."]
    if price.assumed_places:
        said.append(places_assumed(price.assumed_places))
    calls = price.total.calls
    if not chart.auto_trigger_cascade:
        said.append("`auto_trigger_cascade` is false: artists and audience are asked only when somebody launches them.")
    if allowance.quota_left is None:
        said.append("How many billed calls are left is not known yet.")
    elif lacking := allowance.lacking(calls):
        kept = f", {allowance.reserve:,} of them in reserve" if allowance.reserve > 0 else ""
        said.append(f"WARNING: the quota lacks {lacking:,} of these calls: {allowance.quota_left:,} are left{kept}.")
    else:
        said.append(f"{allowance.quota_left:,} billed calls are left.")
    minutes = allowance.minutes(calls) if allowance.per_minute else 0
    if minutes > 1:
        said.append(f"The history takes at least {minutes:,} minutes, at {allowance.per_minute:,} calls per minute.")
    return said
