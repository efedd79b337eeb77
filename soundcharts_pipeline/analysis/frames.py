"""Rows of a query as a pandas frame whose column types are those of the query, also when it is empty."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Boolean, ColumnElement, Connection, Date, Float, Integer, Select, Table

DAY = "datetime64[s]"
# Nullable types of pandas: a missing number stays missing and does not turn its neighbours into floats.
DTYPES: tuple[tuple[type, str], ...] = (
    (Date, DAY),
    (Boolean, "boolean"),
    (Integer, "Int64"),
    (Float, "Float64"),
)


def dtype_of(kind: object) -> str:
    """The pandas type of an SQL type."""
    return next((dtype for sql, dtype in DTYPES if isinstance(kind, sql)), "str")


def frame(conn: Connection, query: Select[Any]) -> pd.DataFrame:
    """One row per row, one column per column."""
    return filled(list(query.selected_columns), conn.execute(query).all())


def filled(columns: Sequence[ColumnElement[Any]], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """The rows under these columns, by their names and types."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pd.DataFrame({column.name: series(of, column.type) for column, of in zip(columns, values, strict=True)})


def of_columns(columns: Mapping[str, Sequence[Any]], table: Table) -> pd.DataFrame:
    """The lists as columns of a frame, by the types that the table has for their names; text where it has none."""
    kinds = {column.name: column.type for column in table.columns}
    return pd.DataFrame({name: series(values, kinds.get(name)) for name, values in columns.items()})


def series(values: Any, kind: object) -> "pd.Series[Any]":
    """The values as a column of a frame, by the type of the column they come from."""
    dtype = dtype_of(kind)
    if dtype == DAY:
        return pd.Series(pd.to_datetime(list(values)), dtype=dtype)
    return pd.Series(list(values), dtype=dtype)
