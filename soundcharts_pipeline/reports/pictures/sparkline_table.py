"""A table of tiny lines: a row for each track or artist, a column for each series."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from soundcharts_pipeline.reports.pictures.canvas import BLUE, MARGIN, MINUS, WIDE, Canvas, brief, short_number
from soundcharts_pipeline.reports.pictures.sparklines import SCALE, Points, line_path

LINE_HEIGHT = 18
# Of a column: its widest, and what its numbers take of it.
WIDEST, NUMBERS = 230, 60
ROW, HEADING, NAME_LINE = 27, 30, 17
POSITION, NAME = 26, 140
STYLE = (
    f"g path{{fill:none;stroke:{BLUE};stroke-width:{1.4 * SCALE:g};stroke-linecap:round}}"
    f"g path{{transform:scale({1 / SCALE:g})}}"
    "text{font-size:9.5px}"
    ".value{font-size:10.5px;font-weight:600}"
)


class Column(NamedTuple):
    """`unit` says what its values are."""

    platform: str
    unit: str


class Cell(NamedTuple):
    """A series: the value of its newest day is told, and what it gained over a week, if that is known."""

    points: Points
    change: int | None


class Row(NamedTuple):
    """One track or artist; None for a series of which nothing is known."""

    position: int
    name: str
    cells: Sequence[Cell | None]


def sparkline_table(title: str, columns: Sequence[Column], rows: Sequence[Row], *, width: int = WIDE) -> str:
    """All lines are over the same days; one that ends before the right edge has no newer value."""
    cells = [cell for row in rows for cell in row.cells if cell]
    days = [day for cell in cells for day in (cell.points[0][0], cell.points[-1][0])]
    span = (min(days), max(days))
    about = f"{span[0]} to {span[1]}; newest value, change over 7 days"
    canvas = Canvas(width)
    # Names stand beside the lines where there is room, else above them; columns go on below each other.
    beside = width >= WIDE
    lines = -(-len(columns) // (4 if beside else 3))
    across = -(-len(columns) // lines)
    step = min(WIDEST, (width - 2 * MARGIN - POSITION - (NAME if beside else 0)) / across)
    left = width - MARGIN - across * step if beside else MARGIN + POSITION
    y = canvas.head(title, about) + 6
    for number, column in enumerate(columns):
        x, top = left + number % across * step, y + number // across * HEADING
        canvas.text(x, top + 11, column.platform, size=11, look="bold", most=step - 4)
        canvas.text(x, top + 23, column.unit, size=10, look="soft", most=step - 4)
    y += lines * HEADING
    for row in rows:
        foot = y + (17 if beside else 13)
        canvas.rule(MARGIN, y, to_x=width - MARGIN, to_y=y)
        canvas.text(MARGIN + POSITION - 8, foot, str(row.position), look="bold", most=24, anchor="end")
        room = (left if beside else width) - MARGIN - POSITION - 8
        canvas.text(MARGIN + POSITION, foot, row.name, most=room)
        y += 0 if beside else NAME_LINE
        for number, cell in enumerate(row.cells):
            if cell:
                _cell(canvas, cell, span, x=left + number % across * step, y=y + number // across * ROW, width=step)
        y += lines * ROW
    units = ", ".join(f"{column.platform} {column.unit}" for column in columns)
    told = "; ".join(map(_told, rows))
    return canvas.finish(y + 4, title, f"{about}. {units}. {told}", style=STYLE)


def _cell(canvas: Canvas, cell: Cell, span: tuple[date, date], *, x: float, y: float, width: float) -> None:
    # Hundreds of them: a byte here is half a kilobyte of the picture.
    room = int(width - NUMBERS)
    path = line_path(cell.points, width=room - 5, height=LINE_HEIGHT, span=span)
    shapes = f'<path d="{path}"/><text class="value" x="{room}" y="8">{short_number(cell.points[-1][1])}</text>'
    if cell.change is not None:
        words, look = _change(cell)
        shapes += f'<text class="{look}" x="{room}" y="19">{words}</text>'
    canvas.place(x, y + 4, shapes)


def _change(cell: Cell) -> tuple[str, str]:
    """What it gained over a week, in percent (of nothing: as it is), and its look."""
    change = cell.change or 0
    base = cell.points[-1][1] - change
    percent = abs(change) / base * 100 if base > 0 else float("inf")
    if round(percent, 1) == 0 or change == 0:
        return "±0 %", "soft"
    sign, look = ("+", "rise") if change > 0 else (MINUS, "fall")
    number = f"{percent:,.{0 if percent >= 99.5 else 1}f} %" if percent < 10_000 else short_number(abs(change))
    return f"{sign}{number}", look


def _told(row: Row) -> str:
    values = [short_number(cell.points[-1][1]) if cell else "nothing" for cell in row.cells]
    return f"{row.position} {brief(row.name)}: {', '.join(values)}"
