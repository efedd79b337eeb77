"""One warehouse, one source: made-up data of the simulator and real data never mix."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial

from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries import quality, worklists
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext

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
