"""The workbook of a chart-day, written whole."""

import json
from pathlib import Path

from xlsxwriter import Workbook

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
from soundcharts_pipeline.reports.workbook.report import DIGEST, ROWS, Report
from soundcharts_pipeline.reports.workbook.sheets import add_sheet, new_workbook
from soundcharts_pipeline.storage.files import whole_file


def write_workbook(path: Path, report: Report) -> dict[str, int]:
    """Write the file, or leave what was there as it is. Returns the rows of each data sheet. Raises OSError."""
    of = report.of
    with whole_file(path) as temporary, new_workbook(temporary) as workbook:
        about = f"{report.name}, {of.day}"
        first = summary.add_summary(workbook, of, name=report.name, about=about)
        data, charts = summary.chart_data(report.lines)
        made = f"{report.made:%Y-%m-%d %H:%M}"
        sheets = [
            *(ranking_sheet(of), tracks_sheet(of), artists_sheet(of), audience_sheet(of), trends_sheet(of)),
            *(notes_sheet(of, expected=report.expected, left_out=report.left_out, made=made), data),
        ]
        for sheet in sheets:
            add_sheet(workbook, sheet, about=about)
        summary.add_charts(workbook, first, of, data, charts)
        rows = {sheet.name: len(sheet.rows) for sheet in sheets}
        _describe(workbook, report, about, rows)
    return rows


def _describe(workbook: Workbook, report: Report, about: str, rows: dict[str, int]) -> None:
    names = {"title": plain_text(about), "subject": f"Soundcharts chart {report.of.slug}"}
    workbook.set_properties({**names, "author": "soundcharts-pipeline", "created": report.made})
    workbook.set_custom_property(DIGEST, report.digest)
    workbook.set_custom_property(ROWS, json.dumps(rows))
