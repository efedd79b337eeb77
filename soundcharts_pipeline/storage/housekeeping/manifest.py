"""What is in the archive: one entry a file, in `manifest.json`, which is replaced as a whole or not at all."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from soundcharts_pipeline.storage import files
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.files import FileDamaged

NAME = "manifest.json"


class ForeignArchive(StorageError):
    """The folder is the archive of another database."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file: rows of one table and month (`2024-03`).

    `removed`: none of its rows is in the warehouse any more. Until then some may be, and the next archiving takes
    them out.
    """

    table: str
    month: str
    file: str
    rows: int
    bytes: int
    sha256: str
    archived_at: str
    removed: bool = False

    @property
    def first_day(self) -> date:
        return date.fromisoformat(f"{self.month}-01")


@dataclass(slots=True)
class Manifest:
    """The parts of an archive, oldest first. A change is on disk when the method returns."""

    folder: Path
    parts: list[Part] = field(default_factory=list)
    database: str | None = None

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """The manifest of a folder, empty when there is none. Raises FileDamaged when it cannot be read."""
        path = folder / NAME
        if not path.exists():
            return cls(folder)
        try:
            text = json.loads(path.read_text("utf-8"))
            return cls(folder, [Part(**entry) for entry in text["files"]], text.get("database"))
        except (ValueError, TypeError, KeyError) as error:
            raise FileDamaged(
                f"{path} cannot be read ({error}); restore it from a backup of the folder. Nothing was changed"
            ) from None

    def path(self, part: Part) -> Path:
        return self.folder / part.file

    def of(self, table: str, month: str) -> Sequence[Part]:
        return [part for part in self.parts if (part.table, part.month) == (table, month)]

    def listed(self, table: str, month: str, count: int | None = None) -> Sequence[Part]:
        """The parts of a month that the database notes as archived, in so many files. Raises FileDamaged when there
        are none, or fewer."""
        found = self.of(table, month)
        if len(found) < (count or 1):
            lacks = "does not list it" if not found else f"lists {len(found)} of its {count} files"
            raise FileDamaged(
                f"{month} of {table} is archived, and {self.folder / NAME} {lacks}; bring the archive's "
                "folder to where this runs or set SOUNDCHARTS_DATA_DIR to the folder that has it, or ask for what is "
                "after that month"
            )
        return found

    def belongs_to(self, database: str) -> None:
        """From now on, if nobody knows whose it is. Raises ForeignArchive when it is the archive of another database:
        what is in one month's files is read for whoever notes the month."""
        if self.database not in (None, database):
            raise ForeignArchive(
                f"{self.folder} is the archive of another database, and nothing was changed; set SOUNDCHARTS_DATA_DIR "
                "to a folder of this one's own, or move the archive to where its own database looks for it. Only if it "
                "is this one's, restored from a backup without a name (of an earlier version or made by hand, before "
                f"the first archiving): take the line `database` out of {NAME}, and archive again"
            )
        self.database = database

    def new_file(self, table: str, month: str) -> str:
        """The name of one more file of the month, which nothing has: also a file that is not listed may be the only
        copy of its rows."""
        number = len(self.of(table, month)) + 1
        while (self.folder / (name := f"{table}/{month}/part-{number:04}.parquet")).exists():
            number += 1
        return name

    def add(self, part: Part) -> None:
        self.parts.append(part)
        self._save()

    def mark(self, part: Part, *, removed: bool) -> None:
        """Note whether the warehouse is free of the part's rows."""
        if part.removed != removed:
            self.parts[self.parts.index(part)] = replace(part, removed=removed)
            self._save()

    def check(self, part: Part) -> None:
        """Raise FileDamaged unless the file is there as it was written."""
        path = self.path(part)
        if not path.is_file():
            raise FileDamaged(f"{path} is missing from the archive; restore the file. Nothing was changed")
        if path.stat().st_size != part.bytes or files.sha256_of(path) != part.sha256:
            raise FileDamaged(
                f"{path} is not the file that was archived (its checksum differs from {NAME}); restore the file. "
                "Nothing was changed"
            )

    def _save(self) -> None:
        text = json.dumps({"database": self.database, "files": [asdict(part) for part in self.parts]}, indent=1)
        files.write_text(self.folder / NAME, text + "\n")
