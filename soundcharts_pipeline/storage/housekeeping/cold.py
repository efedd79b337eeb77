"""Archived months, read where they lie: rows of the files beside those of the database, each of them once.

Which months are read is what the database notes as archived in the very transaction that reads: whatever is not
archived yet, or is all brought back, is in the database itself, and nothing is both left out there and not read here.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from soundcharts_pipeline.storage.housekeeping import parquet_files
from soundcharts_pipeline.storage.housekeeping.archive import ARCHIVED, day_of, less_replaced
from soundcharts_pipeline.storage.housekeeping.manifest import Manifest, Part
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.wording import month_of

Row = tuple[Any, ...]
# The values of a column that are asked for, by its name.
Among = Mapping[str, Collection[str]]


class Archive:
    """The files of one folder. `came` counts, by month, rows that were in them alone, of all tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.came: Counter[str] = Counter()
        self._checked: set[tuple[Part, int]] = set()

    def parts(self, conn: Connection, name: str, first: date = date.min, last: date = date.max) -> list[Part]:
        """The files of a table with days from `first` to `last` that are not in the database, oldest month first.

        Raises FileDamaged where the database notes a month that the folder does not have, or not all of it.
        """
        t = b.archived_months.c
        noted = select(t.month, t.files).where(t.table_name == name, t.month.between(first.replace(day=1), last))
        months = conn.execute(noted.order_by(t.month)).all()
        manifest = Manifest.load(self.folder) if months else Manifest(self.folder)
        found: list[Part] = []
        for month, count in months:
            found += manifest.listed(name, month_of(month), count)
        return found

    def rows(
        self,
        conn: Connection,
        name: str,
        *,
        first: date = date.min,
        last: date = date.max,
        among: Among | None = None,
    ) -> Iterator[Row]:
        """Archived rows of a table, in the order of its columns, from the oldest file to the newest.

        Some may be in the database too, and of several with one key the last is right: `both` sees to that. Raises
        FileDamaged for a file that is not as it was written.
        """
        for part in self.parts(conn, name, first, last):
            yield from self.of_part(conn, part, first=first, last=last, among=among)

    def of_part(
        self, conn: Connection, part: Part, *, first: date, last: date, among: Among | None = None
    ) -> Iterator[Row]:
        """The same of one file."""
        self._check(part)
        table, source = ARCHIVED[part.table]
        path, day = self.folder / part.file, day_of(source).name
        for rows in parquet_files.chosen(path, table, day=day, first=first, last=last, among=among or {}):
            yield from map(tuple, less_replaced(conn, part, rows))

    def both(self, name: str, stored: Iterable[Row], archived: Iterable[Row]) -> list[Row]:
        """Each row once, in the order of the key: as it is stored, else as the newest file has it."""
        table, source = ARCHIVED[name]
        columns = list(table.columns.keys())
        key_of = itemgetter(*(columns.index(key.name) for key in table.primary_key))
        here = {key_of(row): row for row in stored}
        there = {key_of(row): row for row in archived}
        day = itemgetter(columns.index(day_of(source).name))
        for found_on, rows in Counter(day(row) for key, row in there.items() if key not in here).items():
            self.came[month_of(found_on)] += rows
        found = there | here
        return [found[key] for key in sorted(found)]

    def said(self) -> str:
        """One sentence of what came from the files so far; empty when nothing did."""
        if not self.came:
            return ""
        rows = self.came.total()
        return f"{rows:,} row{'s' * (rows != 1)} of {', '.join(sorted(self.came))} came from the archive"

    def _check(self, part: Part) -> None:
        """Raise FileDamaged unless the file is as it was written; a file that has not changed is read for it once."""
        path = self.folder / part.file
        seen = (part, path.stat().st_mtime_ns if path.exists() else 0)
        if seen not in self._checked:
            Manifest(self.folder).check(part)
            self._checked.add(seen)
