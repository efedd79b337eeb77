"""A plan as people read it: the rows of a table, and a few sentences below it."""

from collections.abc import Iterator

from soundcharts_pipeline.sync.planning.plan import Allowance, Plan
from soundcharts_pipeline.wording import program

HEADINGS = ["asset", "for", "calls"]


def rows_of(plan: Plan) -> list[list[str]]:
    """One row an asset, and the total."""
    rows = [[key, count.basis, told(count.calls, estimate=count.estimate)] for key, count in plan.counts.items()]
    return [*rows, ["total", "", told(plan.calls, estimate=plan.estimate)]]


def sentences_of(plan: Plan, allowance: Allowance, *, days_that_fit: int) -> Iterator[str]:
    """Quota, time, and what the figures rest on."""
    if allowance.quota_left is None:
        yield "Quota: how many billed calls are left is not known; `doctor` says why."
    else:
        kept = f", {allowance.reserve:,} of them kept in reserve" if allowance.reserve > 0 else ""
        kept += f", and {-allowance.reserve:,} allowed beyond them" if allowance.reserve < 0 else ""
        yield f"Quota: {allowance.quota_left:,} billed calls left{kept}; {_share(plan.calls, allowance)}."
    if lacking := allowance.lacking(plan.calls):
        fit = (
            f"the first {days_that_fit} of {len(plan.days)} days fit"
            if days_that_fit
            else "not even the first day fits"
        )
        yield f"WARNING: the quota lacks {lacking:,} of these calls; {fit}. What a run saves before it stops is kept."
    minutes = allowance.minutes(plan.calls)
    time = "within a minute" if minutes <= 1 else f"about {minutes:,} minutes"
    yield f"Time: {time} at {allowance.per_minute:,} calls per minute, if the answers come that fast."
    if plan.missing_rankings:
        missing = f"{len(plan.missing_rankings)} of the rankings"
        yield (
            f"Rough: {missing} must be fetched first, so their tracks are guessed. "
            "`plan` with --fetch-rankings stores them first; with --fetch-metadata it is exact."
        )
        if plan.assumed_places:
            yield places_assumed(plan.assumed_places)
    elif plan.estimate:
        yield (
            "About: the artists of tracks without metadata are counted by their credit names. `plan` with "
            "--fetch-metadata stores that metadata first, a call per ten tracks, and is exact."
        )


def places_assumed(places: int) -> str:
    """That the size of a chart is not known, and what finds it out."""
    return (
        f"Assumed: a chart of {places:,} places, for how many it has is not known yet; `{program()} catalog` finds "
        "out, with 1 call and 1 per 100 charts of each platform."
    )


def told(calls: int, *, estimate: bool) -> str:
    """The number as it is shown."""
    return f"about {calls:,}" if estimate else f"{calls:,}"


def _share(calls: int, allowance: Allowance) -> str:
    if allowance.quota_left is None or allowance.quota_left <= min(allowance.reserve, 0):
        return "nothing can be asked"
    if allowance.quota_left <= 0:
        return "all of the plan goes beyond it"
    return f"the plan takes {calls / allowance.quota_left:.1%} of them"
