"""The workbook of a chart-day, written whole."""

import json
from pathlib import Path

from openpyxl import Workbook

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
from soundcharts_pipeline.reports.workbook.report import Report
from soundcharts_pipeline.reports.workbook.sheets import add_sheet
from soundcharts_pipeline.storage.files import whole_file


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


def _new_workbook(report: Report, about: str) -> Workbook:
    workbook = Workbook(write_only=True)
    properties = workbook.properties
    properties.title, properties.subject = plain_text(about), f"Soundcharts chart {report.of.slug}"
    properties.creator = properties.lastModifiedBy = "soundcharts-pipeline"
    properties.created = properties.modified = report.made.replace(tzinfo=None)
    return workbook
