"""One warehouse, one source: made-up data of the simulator and real data never mix."""

from sqlalchemy import Connection

from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.sync.context import SyncContext

SOURCE_FACT = "source"


class SourceMismatch(StorageError):
    """The database was filled from somewhere else."""


def check_source(ctx: SyncContext, source: str) -> None:
    """Raise SourceMismatch when the warehouse was filled from elsewhere.

    `source` is the API's host, or `local` for anything on this machine (a simulator's port changes).
    """
    with ctx.warehouse.read() as conn:
        known = worklists.fact(conn, SOURCE_FACT)
    if known is not None and known != source:
        raise SourceMismatch(
            f"this database holds data of {known!r} and SOUNDCHARTS_BASE_URL points to {source!r}: set "
            "SOUNDCHARTS_DATA_DIR or SOUNDCHARTS_DATABASE_URL to a new place (or remove the data directory, if it "
            "holds only the demo's made-up data)"
        )


def note_source(ctx: SyncContext, conn: Connection, source: str) -> None:
    """Remember the source once it has answered: what it said may be saved."""
    if ctx.client.usage.answered and worklists.fact(conn, SOURCE_FACT) is None:
        note_fact(conn, SOURCE_FACT, source, ctx.clock())
