"""Rows in bulk for other programs: xlsx, CSV, Parquet, a batch at a time, whole or not there.

`export.py` goes from the query to the file; each format has its writer (`xlsx.py`, `files.py`), and `values.py` is
what all of them do with values. What can be exported is a `Source` in `storage/queries/exports.py`.
"""
