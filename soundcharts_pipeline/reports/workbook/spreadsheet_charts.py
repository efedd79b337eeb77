"""Charts that a spreadsheet program draws itself, from the cells of a sheet: a reader may restyle them."""

from collections.abc import Sequence
from typing import Any, cast

from xlsxwriter import Workbook
from xlsxwriter.chart import Chart

# Apart from each other in colour and in lightness, on white and in print.
PALETTE = (
    *("#1F77B4", "#E4572E", "#2A9D57", "#8E5BC0", "#B8860B"),
    *("#17A2B8", "#D6458B", "#6B7280", "#7CB342", "#5C3D2E"),
)
CLIMB, FALL = "#2E9E5B", "#C8453B"
GRID = {"visible": True, "line": {"color": "#E3E8EE"}}
LINE_WIDTH = 1.5
TITLE_FONT, TEXT_FONT, UNIT_FONT = {"size": 12, "bold": True}, {"size": 9}, {"size": 9, "bold": False}
AXIS = {"num_font": TEXT_FONT, "major_tick_mark": "none"}


def line_chart(
    workbook: Workbook,
    title: str,
    sheet: str,
    *,
    columns: Sequence[int],
    rows: tuple[int, int],
    number_format: str,
    unit: str,
    **values: Any,
) -> Chart:
    """A line per column of the sheet, named by its heading, over these rows (0-based, the last included); days of the
    first column along the bottom. `values`: more about the axis of values."""
    chart = _new_chart(workbook, "line", title)
    first, last = rows
    for column, colour in zip(columns, PALETTE, strict=False):
        chart.add_series(
            {
                "name": [sheet, 0, column],
                "categories": [sheet, first, 0, last, 0],
                "values": [sheet, first, column, last, column],
                "line": {"color": colour, "width": LINE_WIDTH},
            }
        )
    days = {"date_axis": True, "num_format": "d mmm", "major_unit_type": "days"}
    chart.set_x_axis({**AXIS, **days, "major_unit": max(1, (last - first) // 8)})
    chart.set_y_axis({**_axis_of_values(unit, number_format), **values})
    # A missing day is a gap, not a fall to 0.
    chart.show_blanks_as("gap")
    chart.set_legend({"position": "right", "font": TEXT_FONT})
    return chart


def rank_chart(workbook: Workbook, title: str, sheet: str, *, columns: Sequence[int], rows: tuple[int, int]) -> Chart:
    """The same for positions: the first place is at the top, and the days stay below, where the last place is."""
    upside_down = {"reverse": True, "min": 1, "crossing": "max"}
    return line_chart(
        workbook, title, sheet, columns=columns, rows=rows, number_format="0", unit="position", **upside_down
    )


def change_chart(
    workbook: Workbook, title: str, sheet: str, changes: Sequence[int], *, labels: int, values: int, first: int
) -> Chart:
    """A bar per change, which stand in a column from this row on (0-based): gains to the right, losses to the left,
    each in its colour. The first row is at the top."""
    chart = _new_chart(workbook, "bar", title)
    last = first + len(changes) - 1
    chart.add_series(
        {
            "categories": [sheet, first, labels, last, labels],
            "values": [sheet, first, values, last, values],
            "points": [{"fill": {"color": CLIMB if change > 0 else FALL}} for change in changes],
            "gap": 40,
        }
    )
    # XlsxWriter calls x what lies: here the values. Names stand beside the plot, not inside it on the bars of losses.
    chart.set_y_axis({**AXIS, "reverse": True, "crossing": "max", "label_position": "low"})
    chart.set_x_axis(_axis_of_values("places", "+0;-0;0"))
    chart.set_legend({"none": True})
    return chart


def _new_chart(workbook: Workbook, kind: str, title: str) -> Chart:
    chart = cast(Chart, workbook.add_chart({"type": kind}))
    chart.set_title({"name": title, "name_font": TITLE_FONT})
    return chart


def _axis_of_values(unit: str, number_format: str) -> dict[str, Any]:
    return {**AXIS, "name": unit, "name_font": UNIT_FONT, "num_format": number_format, "major_gridlines": GRID}
