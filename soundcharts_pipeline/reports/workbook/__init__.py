"""The Excel workbook of a chart-day: made to be read, filtered, printed and forwarded by people.

`report.py` is what goes into one, and knows a file that holds it already; with `lines.py`, what its charts show, it
needs no writer. `workbook.py` writes it whole, `read_back.py` reads it again; `chart_sheets.py` fills the sheets with
data, `summary.py` the first page, `notes.py` says what is missing; `sheets.py`, `cells.py` and
`spreadsheet_charts.py` know how, and no chart. A new sheet is a function in `chart_sheets.py` and a line in
`workbook.py`. Rows in bulk belong in `reports/export/`.
"""
