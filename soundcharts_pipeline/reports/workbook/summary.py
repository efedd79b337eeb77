"""The first page of a chart-day's workbook: key figures, who moved, and charts of what the sheet `Chart data` holds."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.chart._chart import ChartBase
from openpyxl.styles import Alignment
from openpyxl.worksheet.worksheet import Worksheet
from sqlalchemy import Row

from soundcharts_pipeline.reports.workbook.cells import MOST_NUMBER
from soundcharts_pipeline.reports.workbook.chart_sheets import BAD, GOOD
from soundcharts_pipeline.reports.workbook.lines import Lines
from soundcharts_pipeline.reports.workbook.sheets import (
    HEADER_FILL,
    HEADER_FONT,
    HEADER_ROWS,
    UNDERLINE,
    Column,
    Kind,
    Link,
    Sheet,
    fill_cell,
    font,
    new_sheet,
    set_up_page,
)
from soundcharts_pipeline.reports.workbook.spreadsheet_charts import (
    change_chart,
    colour_bars,
    line_chart,
    place_chart,
    rank_chart,
)
from soundcharts_pipeline.storage.queries.chart_day import ChartDay
from soundcharts_pipeline.storage.queries.rankings import Move, MoveKind, largest_first

NAME = "Summary"
RANKED, MOVERS = 10, 5
WIDTHS = {"A": 24, "B": 15, "C": 2, "D": 30, "E": 26, "F": 11, "G": 10, "H": 2, "I": 30, "J": 26, "K": 11, "L": 10}
TITLE_FONT, HINT_FONT = font(bold=True, size=18, color="1F4E79"), font(color="6B7280")
FIRST_ROW, LAST_ROW = 5, 14
# Cells that the charts cover, 0-based: two beside each other, two rows of them.
CHARTS_BEGIN, CHART_ROWS, LAST_CHART_ROW = 16, 19, 54
CHART_COLUMNS = ((0, 5), (5, 12))


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
    ws = new_sheet(workbook, NAME)
    ws.sheet_view.showGridLines = False
    for letter, width in WIDTHS.items():
        ws.column_dimensions[letter].width = width
    set_up_page(ws, about=about, pages_high=1)
    ws.append([_cell(ws, Link(name, of.chart.web_url if of.chart else None), font=TITLE_FONT)])
    ws.append([_cell(ws, _subtitle(of), font=HINT_FONT)])
    ws.append([])
    ws.append(_headings(ws))
    figures, movers, entered = key_figures(of), movers_of(of), _moved(of, "new", "re-entry")
    for number in range(LAST_ROW - FIRST_ROW + 1):
        ws.append(
            [
                *(_figure(ws, *figures[number]) if number < len(figures) else [None, None]),
                None,
                *(_mover(ws, *movers[number]) if number < len(movers) else [None] * 4),
                None,
                *(_entry(ws, *entered[number]) if number < len(entered) else [None] * 4),
            ]
        )
    more = len(entered) - (LAST_ROW - FIRST_ROW + 1)
    ws.append([*[None] * 8, _cell(ws, f"and {more} more on the sheet Ranking", font=HINT_FONT)] if more > 0 else [])
    ws.print_area = f"A1:L{LAST_CHART_ROW}"
    return ws


def add_charts(ws: Worksheet, data: Worksheet, of: ChartDay, sheet: Sheet, charts: Sequence[Lines]) -> None:
    """Two by two, below the tables; of a chart that has less than two days, none."""
    made: list[ChartBase] = []
    column = 2
    for lines in charts:
        columns = range(column, column + len(lines.values))
        column += len(lines.values)
        rows = (HEADER_ROWS + 1 + [row[0] for row in sheet.rows].index(min(lines.days)), sheet.last_row)
        if lines.unit:
            made.append(
                line_chart(lines.title, data, columns=columns, rows=rows, number_format="#,##0", unit=lines.unit)
            )
        else:
            made.append(rank_chart(lines.title, data, columns=columns, rows=rows))
    movers = movers_of(of)
    if movers:
        rows = (FIRST_ROW, FIRST_ROW + len(movers) - 1)
        bars = change_chart("Biggest climbs and falls", ws, labels=4, values=6, rows=rows)
        colour_bars(bars, [move.change or 0 for _, move in movers])
        made.append(bars)
    for number, chart in enumerate(made):
        top = CHARTS_BEGIN + number // 2 * CHART_ROWS
        place_chart(ws, chart, columns=CHART_COLUMNS[number % 2], rows=(top, top + CHART_ROWS - 1))


def _headings(ws: Worksheet) -> list[Any]:
    words = ["Key figures", "", None, "Biggest climbs and falls", "Artists", "Movement", "Position", None]
    return [
        None if word is None else _cell(ws, word, font=HEADER_FONT, fill=HEADER_FILL)
        for word in [*words, "New entries and re-entries", "Artists", "State", "Position"]
    ]


def _figure(ws: Worksheet, label: str, value: object, kind: Kind) -> list[Any]:
    shown = _cell(ws, value if value is not None else "not known", kind=kind, border=UNDERLINE, font=font(bold=True))
    shown.alignment = Alignment(horizontal="right")
    return [_cell(ws, label, border=UNDERLINE), shown]


def _mover(ws: Worksheet, entry: Row[Any], move: Move) -> list[Any]:
    colour = GOOD if move.kind == "up" else BAD
    return [
        *(_cell(ws, Link(entry.name, entry.app_url), border=UNDERLINE), _cell(ws, entry.credit_name, border=UNDERLINE)),
        _cell(ws, move.change, kind=Kind.CHANGE, border=UNDERLINE, font=font(color=colour, bold=True)),
        _cell(ws, entry.position, kind=Kind.WHOLE, border=UNDERLINE),
    ]


def _entry(ws: Worksheet, entry: Row[Any], move: Move) -> list[Any]:
    return [
        *(_cell(ws, Link(entry.name, entry.app_url), border=UNDERLINE), _cell(ws, entry.credit_name, border=UNDERLINE)),
        _cell(ws, move.kind, border=UNDERLINE),
        _cell(ws, entry.position, kind=Kind.WHOLE, border=UNDERLINE),
    ]


def _cell(ws: Worksheet, value: object, *, kind: Kind = Kind.TEXT, **style: Any) -> Any:
    cell = WriteOnlyCell(ws)
    cell.number_format = kind.value
    for name, look in style.items():
        setattr(cell, name, look)
    fill_cell(cell, value)
    return cell


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
