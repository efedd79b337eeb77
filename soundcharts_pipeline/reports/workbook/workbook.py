"""The workbook of a chart-day, written whole and read back."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zipfile import ZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.xml.constants import ARC_CORE, DCORE_NS
from openpyxl.xml.functions import fromstring

from soundcharts_pipeline.reports import WORKBOOK_VERSION
from soundcharts_pipeline.reports.workbook import summary
from soundcharts_pipeline.reports.workbook.cells import plain_text
from soundcharts_pipeline.reports.workbook.chart_sheets import (
    artists_sheet,
    audience_sheet,
    ranking_sheet,
    tracks_sheet,
    trends_sheet,
)
from soundcharts_pipeline.reports.workbook.notes import notes_sheet
from soundcharts_pipeline.reports.workbook.sheets import HEADER_ROWS, add_sheet
from soundcharts_pipeline.storage.files import whole_file
from soundcharts_pipeline.storage.queries.chart_day import ChartDay

FORMULA = "f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What goes into a workbook. `lines` are drawn on its first page; its notes tell `expected` and `left_out`."""

    name: str
    of: ChartDay
    lines: Sequence[summary.Lines]
    expected: Sequence[tuple[str, str, str]]
    left_out: Mapping[str, str]
    made: datetime

    @property
    def digest(self) -> str:
        """The same for reports that show the same, whenever they were made."""
        shown = (WORKBOOK_VERSION, self.name, self.of, self.lines, self.expected, self.left_out)
        return hashlib.sha256(repr(shown).encode()).hexdigest()


def write_workbook(path: Path, report: Report) -> dict[str, int]:
    """Write the file, or leave what was there as it is. Returns the rows of each data sheet."""
    of = report.of
    with whole_file(path) as temporary:
        about = f"{report.name}, {of.day}"
        workbook = _new_workbook(report, about)
        first = summary.add_summary(workbook, of, name=report.name, about=about)
        data, charts = summary.chart_data(report.lines)
        made = f"{report.made:%Y-%m-%d %H:%M}"
        sheets = [
            *(ranking_sheet(of), tracks_sheet(of), artists_sheet(of), audience_sheet(of), trends_sheet(of)),
            *(notes_sheet(of, expected=report.expected, left_out=report.left_out, made=made), data),
        ]
        written = [add_sheet(workbook, sheet, about=about) for sheet in sheets]
        summary.add_charts(first, written[-1], of, data, charts)
        rows = {sheet.name: len(sheet.rows) for sheet in sheets}
        workbook.properties.identifier = json.dumps({"digest": report.digest, "rows": rows})
        workbook.save(temporary)
    return rows


def rows_of_same(path: Path, report: Report) -> dict[str, int] | None:
    """The rows of each data sheet when the file is whole and what `write_workbook` would write, but for the moment
    that it names; None otherwise."""
    try:
        with ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
            core = fromstring(archive.read(ARC_CORE))
        made_of = json.loads(core.findtext(f"{{{DCORE_NS}}}identifier") or "{}")
        same: bool = made_of["digest"] == report.digest
        return {str(name): int(rows) for name, rows in made_of["rows"].items()} if same else None
    except Exception:  # no file, no workbook, or one that somebody has saved since: it is written anew
        return None


def _new_workbook(report: Report, about: str) -> Workbook:
    workbook = Workbook(write_only=True)
    properties = workbook.properties
    properties.title, properties.subject = plain_text(about), f"Soundcharts chart {report.of.slug}"
    properties.creator = properties.lastModifiedBy = "soundcharts-pipeline"
    properties.created = properties.modified = report.made.replace(tzinfo=None)
    return workbook


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a workbook holds, by openpyxl: rows below the header of each sheet, and where formulas stand."""

    rows: Mapping[str, int]
    formulas: Sequence[str]


def read_back(path: Path) -> ReadBack:
    """Every cell of the file; raises what openpyxl raises for a damaged one."""
    workbook = load_workbook(path, read_only=True)
    try:
        rows, formulas = {}, []
        for sheet in workbook.worksheets:
            last = 0
            for last, cells in enumerate(sheet.iter_rows(), start=1):  # noqa: B007  # counted
                formulas += [f"{sheet.title}!{cell.coordinate}" for cell in cells if cell.data_type == FORMULA]
            rows[sheet.title] = last - HEADER_ROWS
        return ReadBack(rows, formulas)
    finally:
        workbook.close()
