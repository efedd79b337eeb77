"""Remarks on answers as Dagster shows them: how many, the kinds in a few words, and a table."""

from collections.abc import Sequence
from typing import Any

from soundcharts_pipeline.api.remarks import RemarkCount
from soundcharts_pipeline.orchestration.assets.table_metadata import as_markdown
from soundcharts_pipeline.orchestration.failures import REMARKS_IN_SHORT
from soundcharts_pipeline.storage.queries.summaries import Preview

KINDS_IN_SHORT = 5
KINDS_IN_TABLE = 50
COLUMNS = ["endpoint", "field", "done", "remarks", "for example"]


def in_short(remarks: Sequence[RemarkCount]) -> str:
    """One line a kind, the most frequent ones."""
    lines = [str(kind) for kind in remarks[:KINDS_IN_SHORT]]
    more = len(remarks) - len(lines)
    return "\n".join([*lines, f"and {more} more {'kind' if more == 1 else 'kinds'} of remarks"] if more else lines)


def as_metadata(remarks: Sequence[RemarkCount], days: int = 1) -> dict[str, Any]:
    """Facts of a materialisation of so many days; none where nothing was remarked."""
    if not remarks:
        return {}
    whole = "" if days == 1 else f"_of_{days}_days"
    rows = [
        (kind.endpoint, kind.field, kind.done, kind.count, "; ".join(" ".join(e).strip() for e in kind.examples))
        for kind in remarks[:KINDS_IN_TABLE]
    ]
    return {
        f"remarks{whole}": sum(kind.count for kind in remarks),
        REMARKS_IN_SHORT: in_short(remarks),
        "remarks_table": as_markdown(Preview(COLUMNS, rows)),
    }
