"""docs/tables.md: below the heading of a table or view stands what its columns mean, made of their comments.

`python -m soundcharts_pipeline_tests.support.tables_page` writes it.
"""

import re
from pathlib import Path

from sqlalchemy import Table

from soundcharts_pipeline.storage.tables.schema import metadata
from soundcharts_pipeline.storage.tables.views import VIEWS

FILE = Path(__file__).parents[2] / "docs" / "tables.md"
TABLES: dict[str, Table] = {**metadata.tables, **{view.table.name: view.table for view in VIEWS}}
_SECTION = re.compile(r"(?<=^### `)(\w+)(?:`\n)(.*?)(?=\n#|\Z)", re.MULTILINE | re.DOTALL)
_COLUMNS = re.compile(r"\n*\| column \| meaning \|\n(?:\|.*\n?)*")


def sections(text: str) -> dict[str, str]:
    """The words below the heading of each table or view, columns among them."""
    return {name: body for name, body in _SECTION.findall(text) if name in TABLES}


def with_columns(text: str) -> str:
    """The page, with the columns as they are."""

    def renewed(found: re.Match[str]) -> str:
        name, body = found.groups()
        if name not in TABLES:
            return found[0]
        rows = "".join(f"| `{column.name}` | {column.comment} |\n" for column in TABLES[name].columns)
        return f"{name}`\n{_COLUMNS.sub('', body).rstrip()}\n\n| column | meaning |\n|---|---|\n{rows}"

    return _SECTION.sub(renewed, text)


if __name__ == "__main__":
    FILE.write_text(with_columns(FILE.read_text(encoding="utf-8")), encoding="utf-8")
