"""What a step below the ranking needs to be there: a worklist of nothing would look complete."""

from collections.abc import Sequence
from datetime import date

from soundcharts_pipeline.storage import quality, worklists
from soundcharts_pipeline.storage.worklists import ChartDays
from soundcharts_pipeline.sync.context import SyncContext


class UpstreamMissing(Exception):
    """Days without what the step works on."""


def check_upstream(ctx: SyncContext, slug: str, days: Sequence[date], *, metadata: bool) -> None:
    """Raise UpstreamMissing for days (contiguous, oldest first) whose ranking is not stored though there may be one;
    with `metadata`, for tracks whose artists cannot be known yet either. Makes no call."""
    span = ChartDays(slug, days[0], days[-1])
    with ctx.warehouse.read() as conn:
        missing = worklists.rankings_missing(conn, span)
        unknown = 0 if missing or not metadata else quality.without_metadata(conn, span, "track")
    if missing:
        named = f"{missing[0]}" + ("" if len(missing) == 1 else f" and {len(missing) - 1} more days")
        raise UpstreamMissing(f"{slug}: the ranking of {named} is not stored, so there is nothing to work on")
    if unknown:
        raise UpstreamMissing(f"{slug}: {unknown} ranked tracks have no metadata yet, so their artists are not known")
