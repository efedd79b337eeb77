"""Reading the warehouse for a page: in a thread, and a database that does not answer is a 503 that says so."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.storage.errors import StorageError

Found = TypeVar("Found")


async def read(live: Live, query: Callable[[Connection], Found]) -> Found:
    """What the query finds. Raises HttpRefusal (503) when the database does not answer."""

    def run() -> Found:
        with live.warehouse.read() as conn:
            return query(conn)

    try:
        return await run_in_threadpool(run)
    except StorageError as error:
        raise HttpRefusal(503, "the database does not answer", f"{error}. Then load this page again") from None
