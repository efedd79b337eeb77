"""The first page of a chart-day's workbook: key figures, who moved, and charts of what the sheet `Chart data` holds."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from xlsxwriter import Workbook
from xlsxwriter.chart import Chart
from xlsxwriter.worksheet import Worksheet

from soundcharts_pipeline.reports.workbook.cells import MOST_NUMBER
from soundcharts_pipeline.reports.workbook.chart_sheets import BAD, GOOD
from soundcharts_pipeline.reports.workbook.lines import Lines
from soundcharts_pipeline.reports.workbook.sheets import (
    HEADER,
    HEADER_ROWS,
    UNDERLINE,
    Column,
    Kind,
    Link,
    Sheet,
    new_sheet,
    write_cell,
)
from soundcharts_pipeline.reports.workbook.spreadsheet_charts import change_chart, line_chart, rank_chart
from soundcharts_pipeline.storage.queries.chart_day import ChartDay
from soundcharts_pipeline.storage.queries.rankings import Move, MoveKind, largest_first

NAME = "Summary"
RANKED, MOVERS = 10, 5
TITLE, HINT = {"bold": True, "font_size": 18, "font_color": "#1F4E79"}, {"font_color": "#6B7280"}
# Rows and columns are 0-based here; these are the columns' widths and the height of a row, in pixels.
WIDTHS, ROW_HEIGHT = (168, 105, 14, 210, 182, 77, 70, 14, 210, 182, 77, 70), 20
HEADINGS = (
    *("Key figures", "", None, "Biggest climbs and falls", "Artists", "Movement", "Position", None),
    *("New entries and re-entries", "Artists", "State", "Position"),
)
# Where the rows of the three tables begin, how many they are, and their first columns.
FIRST_ROW, TABLE_ROWS = 4, 10
FIGURES, MOVED, ENTERED = 0, 3, 8
# Where charts are: two beside each other, two rows of them. The end of their columns is exclusive.
CHARTS_BEGIN, CHART_ROWS, LAST_ROW = 16, 19, 53
CHART_COLUMNS = ((0, 5), (5, 12))

Cell = tuple[object, Kind, dict[str, Any]]


def key_figures(of: ChartDay) -> list[tuple[str, Any, Kind]]:
    """A label, a value and how it is shown."""
    moved = Counter(move.kind for move in of.moves.values())
    metrics = [entry.metric for entry in of.ranking if entry.metric is not None]
    metric = next((entry.metric_type for entry in of.ranking if entry.metric_type), "metric")
    return [
        ("Places", len(of.ranking), Kind.WHOLE),
        ("New entries", moved["new"], Kind.WHOLE),
        ("Re-entries", moved["re-entry"], Kind.WHOLE),
        ("Climbed", moved["up"], Kind.WHOLE),
        ("Fell", moved["down"], Kind.WHOLE),
        ("Unchanged", moved["same"], Kind.WHOLE),
        ("Artists", len(of.artists), Kind.WHOLE),
        (f"Sum of {metric}", sum(metrics) if metrics else None, Kind.WHOLE),
        ("Share of the top 10", _share(of.ranking, sum(metrics)), Kind.PERCENT),
        ("Newest audience day", max((max(s.values) for s in of.series), default=None), Kind.DATE),
    ]


def movers_of(of: ChartDay) -> list[tuple[Row[Any], Move]]:
    """The biggest climbs, then the biggest falls, the biggest last."""
    return [*_moved(of, "up")[:MOVERS], *_moved(of, "down")[:MOVERS][::-1]]


def chart_data(lines: Sequence[Lines]) -> tuple[Sheet, list[Lines]]:
    """The sheet that the line charts are drawn from, and what its columns after the first hold, in their order."""
    charts = [one for one in lines if len(one.days) > 1]
    days = sorted(set().union(*(one.days for one in charts))) if charts else []
    columns = [(name, by_day) for one in charts for name, by_day in one.values]
    sheet = Sheet(
        name="Chart data",
        frozen=1,
        columns=[Column("Day", Kind.DATE), *(Column(name, Kind.WHOLE) for name, _ in columns)],
        # What is drawn is a number, however many digits it has.
        rows=[(day, *(_drawn(by_day.get(day)) for _, by_day in columns)) for day in days],
    )
    return sheet, charts


def add_summary(workbook: Workbook, of: ChartDay, *, name: str, about: str) -> Worksheet:
    """The page without its charts: their cells are written later."""
    ws = new_sheet(workbook, NAME, about=about, pages_high=1)
    ws.hide_gridlines(2)
    ws.print_area(0, 0, LAST_ROW, len(WIDTHS) - 1)
    for number, width in enumerate(WIDTHS):
        ws.set_column_pixels(number, number, width)

    def write(row: int, column: int, value: object, look: dict[str, Any], kind: Kind = Kind.TEXT) -> None:
        write_cell(ws, row, column, value, workbook.add_format({"num_format": kind.value, **look}))

    write(0, 0, Link(name, of.chart.web_url if of.chart else None), TITLE)
    write(1, 0, _subtitle(of), HINT)
    for column, heading in enumerate(HEADINGS):
        if heading is not None:
            write(FIRST_ROW - 1, column, heading, HEADER)
    entered = _moved(of, "new", "re-entry")
    tables = {
        FIGURES: [_figure(*figure) for figure in key_figures(of)],
        MOVED: [_mover(*mover) for mover in movers_of(of)],
        ENTERED: [_entry(*entry) for entry in entered],
    }
    for number in range(TABLE_ROWS):
        for first, rows in tables.items():
            for column, (value, kind, look) in enumerate(rows[number] if number < len(rows) else (), start=first):
                write(FIRST_ROW + number, column, value, UNDERLINE | look, kind)
    if (more := len(entered) - TABLE_ROWS) > 0:
        write(FIRST_ROW + TABLE_ROWS, ENTERED, f"and {more} more on the sheet Ranking", HINT)
    return ws


def add_charts(workbook: Workbook, ws: Worksheet, of: ChartDay, data: Sheet, charts: Sequence[Lines]) -> None:
    """Two by two, below the tables; of a chart that has less than two days, none."""
    made: list[Chart] = []
    days, column = [row[0] for row in data.rows], 1
    for lines in charts:
        columns = range(column, column := column + len(lines.values))
        rows = (HEADER_ROWS + days.index(min(lines.days)), HEADER_ROWS + len(days) - 1)
        if lines.unit:
            looks = {"number_format": "#,##0", "unit": lines.unit}
            made.append(line_chart(workbook, lines.title, data.name, columns=columns, rows=rows, **looks))
        else:
            made.append(rank_chart(workbook, lines.title, data.name, columns=columns, rows=rows))
    if changes := [move.change or 0 for _, move in movers_of(of)]:
        where = {"labels": MOVED, "values": MOVED + 2, "first": FIRST_ROW}
        made.append(change_chart(workbook, "Biggest climbs and falls", NAME, changes, **where))
    for number, chart in enumerate(made):
        first, end = CHART_COLUMNS[number % 2]
        # As wide as the cells that it covers, whatever the reader's fonts.
        chart.set_size({"width": sum(WIDTHS[first:end]), "height": (CHART_ROWS - 1) * ROW_HEIGHT})
        ws.insert_chart(CHARTS_BEGIN + number // 2 * CHART_ROWS, first, chart)


def _figure(label: str, value: object, kind: Kind) -> list[Cell]:
    shown = value if value is not None else "not known"
    return [(label, Kind.TEXT, {}), (shown, kind, {"bold": True, "align": "right"})]


def _mover(entry: Row[Any], move: Move) -> list[Cell]:
    look = {"bold": True, "font_color": GOOD if move.kind == "up" else BAD}
    return [*_named(entry), (move.change, Kind.CHANGE, look), (entry.position, Kind.WHOLE, {})]


def _entry(entry: Row[Any], move: Move) -> list[Cell]:
    return [*_named(entry), (move.kind, Kind.TEXT, {}), (entry.position, Kind.WHOLE, {})]


def _named(entry: Row[Any]) -> list[Cell]:
    return [(Link(entry.name, entry.app_url), Kind.TEXT, {}), (entry.credit_name, Kind.TEXT, {})]


def _subtitle(of: ChartDay) -> str:
    chart = of.chart
    known = (chart.platform, chart.country_code, chart.city_name, chart.frequency) if chart else ()
    return " · ".join([f"Ranking of {of.day}", *(str(fact) for fact in known if fact), f"{of.slug}"])


def _moved(of: ChartDay, *kinds: MoveKind) -> list[tuple[Row[Any], Move]]:
    found = [(entry, of.moves[entry.position, entry.track_uuid]) for entry in of.ranking]
    found = [one for one in found if one[1].kind in kinds]
    return sorted(found, key=lambda one: largest_first(one[1], one[0].position))


def _drawn(value: int | None) -> float | None:
    return value if value is None or abs(value) <= MOST_NUMBER else float(value)


def _share(ranking: Sequence[Row[Any]], total: int) -> float | None:
    return sum(entry.metric or 0 for entry in ranking[:RANKED]) / total if total else None
