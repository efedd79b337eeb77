"""A warehouse that is only looked at: nothing is created, brought up to date or written."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.storage import engine, migrations
from soundcharts_pipeline.storage.errors import PG_DENIED, SchemaMismatch, explained, place
from soundcharts_pipeline.storage.warehouse import REVISION


class ExistingWarehouse:
    """One database that is there already. Raises StorageUnavailable when it is not, SchemaMismatch when its tables
    are not those of this version."""

    def __init__(self, url: str) -> None:
        self.url = engine.parse_url(url)
        self._engine = engine.open_existing(self.url)
        try:
            self._check_revision()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent look at the data. The database refuses writes made here."""
        with explained(self.url, reading=True), engine.reader(self._engine).begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _check_revision(self) -> None:
        with self.read() as connection:
            try:
                with connection.begin_nested():
                    found = connection.scalar(REVISION)
            except DBAPIError as error:
                if getattr(error.orig, "pgcode", None) == PG_DENIED:
                    raise
                found = None
        if found is not None and found > migrations.HEAD:
            raise SchemaMismatch(migrations.newer(place(self.url), found))
        if found != migrations.HEAD:
            state = "has no tables of soundcharts-pipeline" if found is None else f"has tables of revision {found}"
            raise SchemaMismatch(
                f"{place(self.url)} {state}, and reading needs revision {migrations.HEAD};"
                " any `soundcharts-pipeline sync` brings it up to date"
            )
