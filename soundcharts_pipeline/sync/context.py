"""What every sync function works with, and the bookkeeping that goes with every save."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol

from sqlalchemy import Connection

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.storage.saves import add_usage, save_progress
from soundcharts_pipeline.storage.warehouse import Warehouse


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class Watcher(Protocol):
    """Who wants to know how a sync goes while it lasts. Called between two saves, every few seconds."""

    def heard(self, line: str) -> None:
        """One line for people: how much is done, how fast, how long it still takes."""
        ...

    def left(self, days: Collection[date]) -> None:
        """The days (of those being synced) that still need an answer; told once more when the sync ends or fails."""
        ...


class Unwatched:
    """Nobody wants to know."""

    def heard(self, line: str) -> None: ...

    def left(self, days: Collection[date]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncContext:
    """One step of one run: where to ask, where to save, what time it is."""

    client: SoundchartsClient
    warehouse: Warehouse
    max_in_flight: int
    clock: Callable[[], datetime] = utc_now
    run_id: str = ""
    step: str = ""
    watcher: Watcher = field(default_factory=Unwatched)

    def keep_books(self, conn: Connection, done: int, total: int) -> None:
        """Progress and calls, in the transaction of what they brought: none of it is lost when the process is.

        Last in its transaction: every process updates these rows, and whoever holds them must not wait for others.
        """
        if self.run_id:
            save_progress(conn, self.run_id, self.step, done, total, self.clock())
        self.keep_usage(conn)

    def keep_usage(self, conn: Connection) -> None:
        """Calls made since the last time."""
        usage = self.client.usage
        for (day, endpoint), counts in sorted(usage.drain().items()):
            add_usage(conn, day, endpoint, asdict(counts), usage.quota_remaining)
