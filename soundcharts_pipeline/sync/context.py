"""What every sync function works with, and the bookkeeping that goes with every save."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy import Connection

from soundcharts_pipeline.clock import Clock, utc_now
from soundcharts_pipeline.storage.saves import add_usage, save_progress
from soundcharts_pipeline.storage.warehouse import Warehouse

if TYPE_CHECKING:
    # Whoever asks has it; `status` asks nothing, and gets here by way of what it has in common with runs.
    from soundcharts_pipeline.api.client import SoundchartsClient
    from soundcharts_pipeline.config.settings import ChartSettings


T = TypeVar("T")


class Watcher(Protocol):
    """Who wants to know how a sync goes while it lasts. Called between two saves, every few seconds."""

    def progress(self, line: str) -> None:
        """One line for people: how much is done, how fast, how long it still takes."""
        ...

    def note(self, day: date, fact: str, text: str) -> None:
        """Something worth knowing of one day that was saved; `fact` names it in the day's metadata."""
        ...

    def remaining(self, days: Collection[date]) -> None:
        """The days (of those being synced) that still need an answer; told once more when the sync ends or fails."""
        ...


class Unwatched:
    """Nobody wants to know."""

    def progress(self, line: str) -> None: ...

    def note(self, day: date, fact: str, text: str) -> None: ...

    def remaining(self, days: Collection[date]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncContext:
    """One step of one run: where to ask, where to save, what time it is.

    `automatic`: nobody started it by hand, so what refuses everything is asked rarely.
    `known_since`: what was known before that moment is asked again (None: what is known is known).
    `data_dir`: where archived months are (None: nowhere).
    """

    client: "SoundchartsClient"
    warehouse: Warehouse
    max_in_flight: int
    clock: Clock = utc_now
    run_id: str = ""
    step: str = ""
    automatic: bool = False
    watcher: Watcher = field(default_factory=Unwatched)
    known_since: datetime | None = None
    data_dir: Path | None = None
    # What the client had made before this step: the steps of a process share it. None: as many as at this moment.
    calls_before: int | None = None

    def __post_init__(self) -> None:
        if self.calls_before is None:
            object.__setattr__(self, "calls_before", self.client.usage.calls)

    def believed_since(self, chart: "ChartSettings") -> datetime:
        """Metadata, and notes of what is absent, are asked for again when they are older than that moment."""
        return self.clock() - timedelta(days=chart.metadata_refresh_days)

    def save(self, work: Callable[[Connection], T], *, undo: Callable[[], object] = lambda: None) -> T:
        """What was asked, in a transaction that waits for a server that is away, as `Warehouse.save` does."""
        usage = self.client.usage
        usage.keep()

        def undo_all() -> None:
            undo()
            usage.take_back()

        return self.warehouse.save(work, undo=undo_all)

    def keep_books(self, conn: Connection, done: int, total: int) -> None:
        """Progress and calls, in the transaction of what they brought: none of it is lost when the process is.

        Last in its transaction: every process updates these rows, and whoever holds them must not wait for others.
        """
        if self.run_id:
            calls = self.client.usage.calls - (self.calls_before or 0)
            save_progress(conn, self.run_id, self.step, done, total, self.clock(), calls=calls)
        self.keep_usage(conn)

    def keep_usage(self, conn: Connection) -> None:
        """Calls made since the last time."""
        usage = self.client.usage
        for (day, endpoint), counts in sorted(usage.drain().items()):
            add_usage(conn, day, endpoint, asdict(counts), usage.quota_remaining)
