"""What goes into the workbook of a chart-day, and whether a file is that already.

Without openpyxl, which a run that finds its workbook as it should be never loads.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring
from zipfile import ZipFile

from soundcharts_pipeline.reports import WORKBOOK_VERSION
from soundcharts_pipeline.reports.workbook.lines import Lines
from soundcharts_pipeline.storage.queries.chart_day import ChartDay

# Where every .xlsx file has its properties, and the one that `write_workbook` sets.
PROPERTIES = "docProps/core.xml"
IDENTIFIER = "{http://purl.org/dc/elements/1.1/}identifier"


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
        shown = (WORKBOOK_VERSION, self.name, self.of, self.lines, self.expected, self.left_out)
        return hashlib.sha256(repr(shown).encode()).hexdigest()


def rows_of_same(path: Path, report: Report) -> dict[str, int] | None:
    """The rows of each data sheet when the file is whole and what `write_workbook` would write, but for the moment
    that it names; None otherwise."""
    try:
        with ZipFile(path) as archive:
            # zipfile forgives what stands before an archive; Excel calls such a file damaged.
            begins = min(part.header_offset for part in archive.infolist()) == 0
            if not begins or archive.testzip() is not None:
                return None
            core = fromstring(archive.read(PROPERTIES))  # noqa: S314  # from our own folder, as openpyxl reads it too
        made_of = json.loads(core.findtext(IDENTIFIER) or "{}")
        same: bool = made_of["digest"] == report.digest
        return {str(name): int(rows) for name, rows in made_of["rows"].items()} if same else None
    except Exception:  # no file, no workbook, or one that somebody has saved since: it is written anew
        return None
