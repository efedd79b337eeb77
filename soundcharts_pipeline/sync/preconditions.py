"""One warehouse, one source: made-up data of the simulator and real data never mix."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial

from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.config.cascade import AUDIENCE_TRENDS, exclusion
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries import quality, worklists
from soundcharts_pipeline.storage.queries.summaries import archived_too_soon
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.storage.tables import months
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.wording import month_of, program

SOURCE_FACT = "source"


class SourceMismatch(StorageError):
    """The database was filled from somewhere else."""


@contextmanager
def inside_source(ctx: SyncContext, source: str) -> Iterator[None]:
    """Ask the API within the block: at its end the source is remembered, if it has answered, and calls are counted,
    those too that ended in an error before anything was saved.

    `source` is the API's host, or `local` for anything on this machine (a simulator's port changes). Raises
    SourceMismatch before the block when the warehouse was filled from elsewhere.
    """
    check_filled_from(ctx.warehouse, source)
    with ctx.warehouse.afterwards(partial(_note_answers, ctx, source)):
        yield


def _note_answers(ctx: SyncContext, source: str) -> None:
    with ctx.warehouse.write() as conn:
        if ctx.client.usage.answered and worklists.fact(conn, SOURCE_FACT) is None:
            note_fact(conn, SOURCE_FACT, source, ctx.clock())
        ctx.keep_usage(conn)


def check_filled_from(warehouse: Warehouse, source: str) -> None:
    """Raise SourceMismatch when the warehouse was filled from elsewhere than `source`. Makes no call."""
    with warehouse.read() as conn:
        known = worklists.fact(conn, SOURCE_FACT)
    if known is not None and known != source:
        raise SourceMismatch(
            f"this database holds data of {known!r} and SOUNDCHARTS_BASE_URL points to {source!r}: set "
            "SOUNDCHARTS_DATA_DIR or SOUNDCHARTS_DATABASE_URL to a new place (or remove the data directory, if it "
            "holds only the demo's made-up data)"
        )


class UpstreamMissing(PipelineError):
    """Days without what the step works on."""


class ArchivedTooSoon(UpstreamMissing):
    """Days in the archive of which not all had been fetched."""


def check_archived(ctx: SyncContext, chart: ChartSettings, days: ChartDays) -> None:
    """Raise ArchivedTooSoon for days whose ranking is in the archive though they were never complete: what they still
    need is not to be told from here, and they would look complete. Makes no call."""
    if exclusion(AUDIENCE_TRENDS, chart):
        return  # nothing of the chart says when a day is complete
    with ctx.warehouse.read() as conn:
        found = archived_too_soon(conn, days)
    if found:
        # Trends are computed from the series of the days before.
        first = found[0] - timedelta(days=max(chart.history_days, WINDOW_DAYS))
        asked = f"--from {month_of(first)} --before {month_of(months.after(found[-1].replace(day=1)))}"
        raise ArchivedTooSoon(
            f"{days.slug}: {_named(found)} went to the archive before all of it was fetched. Bring it back with"
            f" `{program()} restore-archive {asked}`, then run it again"
        )


def check_upstream(ctx: SyncContext, slug: str, days: Sequence[date], *, metadata: bool) -> None:
    """Raise UpstreamMissing for days (contiguous, oldest first) whose ranking is not stored though there may be one;
    with `metadata`, for tracks whose artists cannot be known yet either. Makes no call."""
    span = ChartDays(slug, days[0], days[-1])
    with ctx.warehouse.read() as conn:
        missing = worklists.rankings_missing(conn, span)
        unknown = 0 if missing or not metadata else quality.without_artists(conn, span)
    if missing:
        raise UpstreamMissing(f"{slug}: the ranking of {_named(missing)} is not stored, so there is nothing to work on")
    if unknown:
        raise UpstreamMissing(
            f"{slug}: of {unknown} ranked tracks it is not known who is credited: their metadata was not asked for "
            "yet, or without artists"
        )


def _named(days: Sequence[date]) -> str:
    more = len(days) - 1
    return f"{days[0]}" + (f" and {more} more {'day' if more == 1 else 'days'}" if more else "")
