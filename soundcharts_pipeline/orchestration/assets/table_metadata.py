"""Tables as Dagster shows them: schema, lineage and preview."""

from collections.abc import Mapping

import dagster as dg
from sqlalchemy import Table

from soundcharts_pipeline.storage.queries.summaries import Preview

SQL_TYPES = {
    "BigInteger": "bigint",
    "Boolean": "boolean",
    "Date": "date",
    "Integer": "integer",
    "JSON": "json",
    "UtcDateTime": "timestamp (UTC)",
}


def column_schema(table: Table) -> dg.TableSchema:
    """The promised columns of a table, each with what it means."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=SQL_TYPES.get(type(column.type).__name__, "text"),
                description=column.comment,
                constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), unique=False),
            )
            for column in table.columns
        ]
    )


def column_lineage(lineage: Mapping[str, tuple[str, str]]) -> dg.TableColumnLineage:
    """Column of this asset -> (asset key, column) that it comes from."""
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(asset_key=dg.AssetKey(key.split("/")), column_name=source)]
            for column, (key, source) in lineage.items()
        }
    )


def as_markdown(preview: Preview) -> dg.MarkdownMetadataValue:
    """A small table; names that hold markup are shown as text."""
    if not preview.rows:
        return dg.MetadataValue.md("no rows")
    lines = ["| " + " | ".join(preview.columns) + " |", "|" + " --- |" * len(preview.columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in preview.rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    for mark, plain in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("\n", " ")):
        text = text.replace(mark, plain)
    return text
