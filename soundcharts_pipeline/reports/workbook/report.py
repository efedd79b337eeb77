"""What goes into the workbook of a chart-day, and whether a file is that already.

Without XlsxWriter, which a run that finds its workbook as it should be never loads.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain
from pathlib import Path
from xml.etree.ElementTree import fromstring
from zipfile import ZipFile

from soundcharts_pipeline.reports import WORKBOOK_VERSION
from soundcharts_pipeline.reports.workbook.lines import Lines
from soundcharts_pipeline.storage.queries.chart_day import ChartDay

# Where an .xlsx file has properties of its own, and the two that `write_workbook` sets.
PROPERTIES = "docProps/custom.xml"
DIGEST, ROWS = "Digest", "Rows"
# The day that XlsxWriter gives to every part of a file. Other programs give another to what they save, and keep its
# properties.
WRITERS_DAY = (1980, 1, 31)
# A zip file without a comment ends with so many bytes, which begin so (APPNOTE 4.3.16).
END, END_BYTES = b"PK\5\6", 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What goes into a workbook. `lines` are drawn on its first page; its notes tell `expected` and `left_out`."""

    name: str
    of: ChartDay
    lines: Sequence[Lines]
    expected: Sequence[tuple[str, str, str]]
    left_out: Mapping[str, str]
    made: datetime

    @property
    def digest(self) -> str:
        """The same for reports that show the same, whenever they were made."""
        of = ((field.name, getattr(self.of, field.name)) for field in fields(self.of))
        shown = chain((WORKBOOK_VERSION, self.name, self.lines, self.expected, self.left_out), *of)
        found = hashlib.sha256()
        # One after the other: as one text they would take more memory than all that is written.
        for one in shown:
            for piece in one if isinstance(one, list) else [one]:
                found.update(f"{piece!r}\n".encode())
        return found.hexdigest()


def rows_of_same(path: Path, report: Report) -> dict[str, int] | None:
    """The rows of each data sheet when the file is whole and what `write_workbook` would write, but for the moment
    that it names; None otherwise."""
    try:
        with ZipFile(path) as archive:
            # zipfile forgives what stands before an archive or behind it; Excel calls such a file damaged.
            begins = min(part.header_offset for part in archive.infolist()) == 0
            ends = _last_bytes(path).startswith(END)
            saved_since = any(part.date_time[:3] != WRITERS_DAY for part in archive.infolist())
            if not begins or not ends or saved_since or archive.testzip() is not None:
                return None
            properties = fromstring(archive.read(PROPERTIES))  # noqa: S314  # a file of our own folder
        made_of = {each.attrib["name"]: "".join(each.itertext()) for each in properties}
        same = made_of[DIGEST] == report.digest
        return {str(name): int(rows) for name, rows in json.loads(made_of[ROWS]).items()} if same else None
    except Exception:  # no file, no workbook, or one of an older version: it is written anew
        return None


def _last_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-END_BYTES, os.SEEK_END)
        return file.read()
