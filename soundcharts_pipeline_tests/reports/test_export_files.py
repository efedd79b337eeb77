"""Bulk files, read back by others: openpyxl, the csv module, pyarrow."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from sqlalchemy import BigInteger, Boolean, Date, Float, Integer, String
from sqlalchemy.types import TypeEngine

from soundcharts_pipeline.reports.export.files import disarmed, write_csv, write_parquet
from soundcharts_pipeline.reports.export.xlsx import write_xlsx
from soundcharts_pipeline.storage.tables.columns import Document, UtcDateTime
from soundcharts_pipeline_tests.reports.odd_names import ODD_NAMES, SHOWN
from soundcharts_pipeline_tests.reports.test_libreoffice import converted

COLUMNS: dict[str, TypeEngine[Any]] = {
    "name": String(),
    "count": BigInteger(),
    "place": Integer(),
    "share": Float(),
    "born": Date(),
    "explicit": Boolean(),
    "labels": Document,
    "fetched_at": UtcDateTime(),
}
NOW = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
REST = (1 << 40, -3, 0.25, date(1999, 2, 28), True, [{"name": "=1+1"}], NOW)
ROWS = [
    *((name, *REST) for name in ODD_NAMES),
    ("Born early", 0, 0, 0.0, date(1899, 12, 31), False, [], NOW),
    (None,) * len(COLUMNS),
]
LABELS = '[{"name": "=1+1"}]'


def in_batches(rows: Sequence[Sequence[Any]], size: int = 7) -> Iterator[Sequence[Sequence[Any]]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def test_a_workbook_has_typed_cells_and_no_text_is_a_formula_or_a_link(tmp_path: Path) -> None:
    path = tmp_path / "made.xlsx"
    write_xlsx(path, COLUMNS, in_batches(ROWS), count=len(ROWS))
    sheet: Any = load_workbook(path)["Data"]
    assert [cell.value for cell in sheet[1]] == list(COLUMNS)
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d", "b"}
    assert not any(cell.hyperlink for row in sheet.iter_rows() for cell in row)
    found = [list(row) for row in sheet.iter_rows(min_row=2, values_only=True)]
    for row, (name, *_) in zip(found, ROWS[: len(ODD_NAMES)], strict=False):
        at = datetime(1999, 2, 28)  # noqa: DTZ001  # a sheet knows no zone
        assert row == [SHOWN.get(str(name), name), 1 << 40, -3, 0.25, at, True, LABELS, NOW.replace(tzinfo=None)]
    # No sheet has a day before March 1900.
    assert found[len(ODD_NAMES)][4] == "1899-12-31"
    assert len(found) == len(ROWS) - 1, "a row without a value has no cell"
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:H{len(ROWS) + 1}"


def test_more_rows_than_a_sheet_has_go_on_in_the_next_one_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "made.xlsx"
    numbers = [(n,) for n in range(12)]
    write_xlsx(path, {"number": Integer()}, in_batches(numbers, 5), count=12, sheet_rows=5)
    book = load_workbook(path)
    assert book.sheetnames == ["Data", "Data 2", "Data 3"]
    sheets = [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets]
    assert sheets == [["number", 0, 1, 2, 3], ["number", 4, 5, 6, 7], ["number", 8, 9, 10, 11]]


def test_a_workbook_of_many_columns_is_read_by_another_program_as_it_was_written(tmp_path: Path) -> None:
    kinds: dict[str, TypeEngine[Any]] = {f"text {n}": String() for n in range(30)} | {"share": Float()}
    texts = [f"_x00{n:02}_ is no code, {n}" for n in range(28)] + [" blanks ", "=1+1"]
    path = tmp_path / "made.xlsx"
    written = [(*texts, share) for share in (0.1, float("inf"), -0.0, 1e300, 1 / 3)]
    write_xlsx(path, kinds, [written], count=len(written), sheet_rows=3)
    for read in (path, converted(path, "xlsx", tmp_path / "saved again")):
        book = load_workbook(read)
        assert book.sheetnames == ["Data", "Data 2", "Data 3"]
        rows = [row for sheet in book.worksheets for row in sheet.iter_rows(min_row=2)]
        shown = [[str(cell.value).replace("_x005F_", "_") for cell in row[:-1]] for row in rows]
        assert shown == [texts] * len(rows)
        assert [row[-1].value for row in rows] == [0.1, "inf", 0, 1e300, pytest.approx(1 / 3)]
        assert {cell.data_type for row in rows for cell in row} == {"s", "n"}
        assert book["Data 2"].auto_filter.ref == "A1:AE3"


@pytest.mark.parametrize("raw", [False, True])
def test_a_csv_file_disarms_texts_unless_it_is_asked_not_to(tmp_path: Path, *, raw: bool) -> None:
    path = tmp_path / "made.csv"
    write_csv(path, COLUMNS, in_batches(ROWS), raw=raw)
    text = path.read_bytes().decode("utf-8")
    heading, *rows = csv.reader(io.StringIO(text, newline=""))
    assert heading == list(COLUMNS)
    names = [row[0] for row in rows]
    assert names[: len(ODD_NAMES)] == [name if raw else disarmed(name) for name in ODD_NAMES]
    assert raw or not any(name.startswith(("=", "+", "-", "@", "\t", "\r")) for name in names)
    assert rows[0][1:] == [str(1 << 40), "-3", "0.25", "1999-02-28", "True", LABELS, "2026-11-23T03:04:05+00:00"]
    assert rows[-1] == [""] * len(COLUMNS)


def test_a_csv_file_has_the_mark_of_utf8_only_when_it_is_asked_for(tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.csv", tmp_path / "marked.csv"
    write_csv(plain, COLUMNS, in_batches(ROWS))
    write_csv(marked, COLUMNS, in_batches(ROWS), bom=True)
    assert plain.read_bytes().startswith(b"name,")
    assert marked.read_bytes() == b"\xef\xbb\xbf" + plain.read_bytes()


def test_a_parquet_file_has_every_column_in_its_type_and_every_value_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    write_parquet(path, COLUMNS, in_batches(ROWS))
    table = pq.read_table(path)
    assert table.schema.types == [
        *(pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.date32(), pa.bool_(), pa.string()),
        pa.timestamp("us", tz="UTC"),
    ]
    expected = [(*row[:6], row[6] if row[6] is None else json.dumps(row[6]), row[7]) for row in ROWS]
    assert list(zip(*(column.to_pylist() for column in table.columns), strict=True)) == expected
