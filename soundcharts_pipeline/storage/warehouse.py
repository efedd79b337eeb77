"""The database as the rest of the package sees it: a place to read and to write, one transaction at a time.

Brings the tables up to date before the first use. Knows no table itself.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

from sqlalchemy import Connection, Engine, Select, String, column, select, table
from sqlalchemy.exc import DBAPIError, OperationalError

from soundcharts_pipeline.storage import engine, migrations
from soundcharts_pipeline.storage.errors import StorageError, StorageUnavailable, explained, place
from soundcharts_pipeline.storage.interrupts import deferred_interrupts, is_interrupted

T = TypeVar("T")
_log = logging.getLogger(__name__)

# How often a server that is away is tried again.
AGAIN_SECONDS = 1.0
REVISION: Select[str] = select(column("version_num", String)).select_from(table(migrations.VERSION_TABLE))


class Warehouse:
    """One database, SQLite or PostgreSQL. Opens connections on first use; threads may share it.

    `guard`, once it is set, looks at each transaction that writes before anything else does, and raises to refuse it.
    `patience`: for so many seconds, from when it is missed until it has answered again, the main thread waits for a
    server that was there and is away.
    """

    def __init__(self, url: str, *, lock_timeout: float = engine.LOCK_TIMEOUT_SECONDS, patience: float = 0.0) -> None:
        self.url = engine.parse_url(url)
        self._engine = engine.open_engine(self.url, lock_timeout=lock_timeout)
        self._reader = engine.reader(self._engine)
        self._writer = engine.writer(self._engine)
        self._preparing = threading.Lock()
        self._prepared = False
        self._lock_timeout = lock_timeout
        self._beside: Warehouse | None = None
        self.patience = patience
        self._latest: float | None = None
        self.guard: Callable[[Connection], None] | None = None

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent look at the data. The database refuses writes made here."""
        self.prepare()
        with explained(self.url, reading=True), self._connect(self._reader) as connection, connection.begin():
            yield connection
        self._latest = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it is saved at the end, or nothing when the block raises. Ctrl-C waits for it."""
        self.prepare()
        with (
            explained(self.url),
            deferred_interrupts(),
            self._connect(self._writer) as connection,
            connection.begin(),
        ):
            if self.guard is not None:
                self.guard(connection)
            yield connection
        self._latest = None

    def save(self, work: Callable[[Connection], T], *, undo: Callable[[], object] = lambda: None) -> T:
        """What `work` writes, in one transaction. When the server goes away in the midst of it, it is tried again from
        the start, after `undo`: nobody knows whether it was saved, so it must be the same when done twice."""

        def saved() -> T:
            with self.write() as connection:
                return work(connection)

        return self.again(saved, undo=undo)

    def again(self, work: Callable[[], T], *, undo: Callable[[], object] = lambda: None) -> T:
        """What `work` brings, which reads or writes. When the server goes away in the midst of it, it is done again,
        after `undo`: it must be the same when done twice."""
        while True:
            try:
                return work()
            except StorageUnavailable as error:
                undo()
                if not error.is_away or not self._may_wait():
                    raise
            sleep(AGAIN_SECONDS)

    @contextmanager
    def afterwards(self, work: Callable[[], object]) -> Iterator[None]:
        """`work`, which writes, at the end of the block. When the block raises, that is what is told, also where the
        database fails `work` too; when somebody told it to end (Ctrl-C), nothing waits for the database any more."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Exception):
                self.patience = 0.0
            with suppress(StorageError):
                work()
            raise
        work()

    def prepare(self) -> None:
        """Bring the tables up to date: one query when they already are. Any number of processes may do so at once."""
        if self._prepared:
            return
        with self._preparing, explained(self.url, preparing=True):
            if not self._prepared:
                engine.make_parent_folder(self.url)
                if self._revision() != migrations.HEAD:
                    migrations.upgrade(self._writer)
                    self._describe()
                self._prepared = True

    def migrate(self) -> None:
        """Bring the tables up to date, and what the database says of them, as their owner. Raises like `prepare`."""
        self.prepare()
        with explained(self.url, preparing=True):
            self._describe()

    def beside(self) -> "Warehouse":
        """For transactions so short that they must not wait for a save: this database; for SQLite, where a save
        holds the only write lock, a small file beside it with the same tables."""
        if self.dialect != "sqlite":
            return self
        with self._preparing:
            if self._beside is None:
                path = Path(self.url.database or "")
                url = self.url.set(database=str(path.with_name(f"{path.stem}-rate{path.suffix}")))
                self._beside = Warehouse(url.render_as_string(), lock_timeout=self._lock_timeout)
            return self._beside

    def close(self) -> None:
        """Give back every connection. The warehouse opens new ones if it is used again."""
        self._engine.dispose()
        if self._beside is not None:
            self._beside.close()

    def _connect(self, engine: Engine) -> Connection:
        while True:
            try:
                return engine.connect()
            except OperationalError:
                if not self._may_wait():
                    raise
            sleep(AGAIN_SECONDS)

    def _may_wait(self) -> bool:
        """In other threads nobody could interrupt it; a file that cannot be opened is not away. Whoever is told to end
        waits no more, also not to tidy up."""
        if is_interrupted():
            self.patience = 0.0
        is_main = threading.current_thread() is threading.main_thread()
        is_server = self._engine.dialect.name == "postgresql"
        if not is_server or not is_main or not self.patience:
            return False
        if self._latest is None:
            self._latest = monotonic() + self.patience
            _log.warning("%s is away: waiting for it, up to %.0f s", place(self.url), self.patience)
        return monotonic() < self._latest

    def _describe(self) -> None:
        with self._writer.begin() as connection:
            migrations.describe(connection)

    def _revision(self) -> str | None:
        with self._reader.connect() as connection:
            try:
                return connection.scalar(REVISION)
            except DBAPIError:
                # An empty database, or a fault that the migration will meet again and report.
                return None
