"""Charts that a spreadsheet program draws itself, from the cells of a sheet: a reader may restyle them."""

from collections.abc import Sequence
from typing import Any

from openpyxl.chart import BarChart, LineChart, Reference, Series
from openpyxl.chart.axis import DateAxis
from openpyxl.chart.data_source import StrRef
from openpyxl.chart.legend import Legend
from openpyxl.chart.marker import DataPoint
from openpyxl.chart.series import SeriesLabel
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties
from openpyxl.worksheet.worksheet import Worksheet

# Apart from each other in colour and in lightness, on white and in print.
PALETTE = (
    *("1F77B4", "E4572E", "2A9D57", "8E5BC0", "B8860B"),
    *("17A2B8", "D6458B", "6B7280", "7CB342", "5C3D2E"),
)
CLIMB, FALL = "2E9E5B", "C8453B"
GRID = "E3E8EE"
LINE_WIDTH = 19_050
TITLE_SIZE, TEXT_SIZE = 1_200, 900


def line_chart(
    title: str,
    data: Worksheet,
    *,
    columns: Sequence[int],
    rows: tuple[int, int],
    number_format: str,
    unit: str,
) -> LineChart:
    """A line per column of the sheet, named by its heading, over these rows; days of the first column along the
    bottom."""
    chart = LineChart()
    first, last = rows
    for column, colour in zip(columns, PALETTE, strict=False):
        line = Series(Reference(data, column, first, column, last))
        line.tx = SeriesLabel(strRef=StrRef(str(Reference(data, column, 1))))
        line.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=colour, w=LINE_WIDTH))
        line.smooth = False
        chart.series.append(line)
    chart.set_categories(Reference(data, 1, first, 1, last))
    chart.x_axis = DateAxis(crossAx=100)
    chart.x_axis.number_format, chart.x_axis.majorTimeUnit, chart.x_axis.baseTimeUnit = "d mmm", "days", "days"
    chart.x_axis.majorUnit = max(1, (last - first) // 8)
    chart.y_axis.crossAx = 500
    chart.y_axis.number_format = number_format
    # A missing day is a gap, not a fall to 0.
    chart.display_blanks = "gap"
    _dress(chart, title, unit)
    chart.legend = Legend()
    chart.legend.position, chart.legend.txPr = "r", _text(TEXT_SIZE)
    return chart


def rank_chart(title: str, data: Worksheet, *, columns: Sequence[int], rows: tuple[int, int]) -> LineChart:
    """The same for positions: the first place is at the top."""
    chart = line_chart(title, data, columns=columns, rows=rows, number_format="0", unit="position")
    chart.y_axis.scaling.orientation, chart.y_axis.scaling.min = "maxMin", 1
    # The days stay below, where the last place is.
    chart.x_axis.crosses = "max"
    return chart


def change_chart(title: str, data: Worksheet, *, labels: int, values: int, rows: tuple[int, int]) -> BarChart:
    """A bar per row of two columns: gains to the right, losses to the left, each in its colour. The first row is at
    the top."""
    chart = BarChart()
    chart.type, chart.gapWidth, chart.legend = "bar", 40, None
    first, last = rows
    chart.add_data(Reference(data, values, first, values, last))
    chart.set_categories(Reference(data, labels, first, labels, last))
    chart.x_axis.scaling.orientation = "maxMin"
    # Names stand beside the plot, not inside it on the bars of losses.
    chart.x_axis.tickLblPos = "low"
    chart.y_axis.number_format, chart.y_axis.crosses = "+0;-0;0", "max"
    _dress(chart, title, "places")
    return chart


def colour_bars(chart: BarChart, changes: Sequence[int]) -> None:
    """Gains and losses apart."""
    [bars] = chart.series
    bars.graphicalProperties.solidFill = CLIMB
    for number, change in enumerate(changes):
        point = DataPoint(idx=number, invertIfNegative=False)
        point.graphicalProperties = GraphicalProperties(solidFill=CLIMB if change > 0 else FALL)
        bars.data_points.append(point)


def place_chart(ws: Worksheet, chart: Any, *, columns: tuple[int, int], rows: tuple[int, int]) -> None:
    """Over these cells (0-based, the end exclusive), so that it is as wide as they are, whatever the reader's fonts."""
    anchor = TwoCellAnchor(editAs="twoCell")
    anchor._from = AnchorMarker(col=columns[0], row=rows[0])
    anchor.to = AnchorMarker(col=columns[1], row=rows[1])
    chart.anchor = anchor
    ws.add_chart(chart)


def _dress(chart: Any, title: str, unit: str) -> None:
    chart.style, chart.title = 2, title
    for paragraph in chart.title.tx.rich.p:
        paragraph.pPr = ParagraphProperties(defRPr=CharacterProperties(sz=TITLE_SIZE, b=True))
        for run in paragraph.r:
            run.rPr = CharacterProperties(sz=TITLE_SIZE, b=True)
    chart.title.overlay = False
    chart.y_axis.title = unit
    for paragraph in chart.y_axis.title.tx.rich.p:
        for run in paragraph.r:
            run.rPr = CharacterProperties(sz=TEXT_SIZE, b=False)
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill=GRID))
    for axis in (chart.x_axis, chart.y_axis):
        # openpyxl leaves this out, and Excel then shows no axis.
        axis.delete = False
        axis.txPr = _text(TEXT_SIZE)


def _text(size: int) -> RichText:
    properties = ParagraphProperties(defRPr=CharacterProperties(sz=size))
    return RichText(p=[Paragraph(pPr=properties, endParaRPr=CharacterProperties(sz=size))])
