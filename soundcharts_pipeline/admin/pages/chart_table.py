"""The table of charts as somebody wants to see it: which words, which status, in which order.

All three stand in the address of the page, so that it can be shared. Here they are read and obeyed for the page as it
is loaded; after that `chart_table.js` does the same in the browser, with the same facts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from soundcharts_pipeline.admin.pages.overview import ChartRow
from soundcharts_pipeline.monitoring.health import ChartStatus
from soundcharts_pipeline.wording import folded

# The worst first.
STATUSES: tuple[ChartStatus, ...] = ("failing", "degraded", "never_synced", "healthy")
# By the value of `sort` in the address: a column, and with a minus the same from its other end.
SORTS = {
    "": "as in charts.yaml",
    "name": "name, A to Z",
    "-name": "name, Z to A",
    "status": "status, worst first",
    "-status": "status, best first",
    "-synced": "last sync, newest first",
    "synced": "last sync, oldest first",
    "runs": "last 20 runs, worst first",
    "-runs": "last 20 runs, best first",
    "next": "next run, soonest first",
    "-next": "next run, latest first",
}


@dataclass(frozen=True, slots=True)
class TableView:
    """What was chosen; "" stands for all, and for the order of charts.yaml. Words are in small letters."""

    words: str = ""
    status: str = ""
    sort: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "TableView":
        """From the address of a page; a status or an order that does not exist is none."""
        status, sort = query.get("status", ""), query.get("sort", "")
        return cls(
            query.get("q", "").strip().lower(), status if status in STATUSES else "", sort if sort in SORTS else ""
        )

    def shows(self, row: ChartRow) -> bool:
        """Whether it has the status, and each of the words somewhere."""
        found = words_of(row)
        return self.status in ("", row.health.status) and all(word in found for word in folded(self.words).split())

    def ordered(self, rows: Sequence[ChartRow]) -> list[ChartRow]:
        """All of them in the chosen order. What there is nothing known of is last, from either end."""
        column, descending = self.sort.removeprefix("-"), self.sort.startswith("-")
        if not column:
            return list(rows)
        valued = [(sort_values(row)[column], row) for row in rows]
        known = sorted((one for one in valued if one[0] is not None), key=lambda one: one[0], reverse=descending)
        return [row for _, row in known] + [row for value, row in valued if value is None]

    def aria_sort(self, column: str) -> str:
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort, "none")

    def address(self, column: str) -> str:
        """The query of the page that the column's heading leads to: from one end, from the other, as in charts.yaml."""
        after = {column: f"-{column}", f"-{column}": ""}.get(self.sort, column)
        chosen = {"q": self.words, "status": self.status, "sort": after}
        return "?" + urlencode({name: value for name, value in chosen.items() if value})


def facts(row: ChartRow) -> dict[str, Any]:
    """What a row carries for the script."""
    return {"words": words_of(row), **sort_values(row)}


def words_of(row: ChartRow) -> str:
    """What it is found by, without case and accents; what is typed loses both, too, here and in the script."""
    c = row.health
    words = (c.name, c.chart, c.platform, row.country, c.status.replace("_", " "), c.reason)
    return folded(" ".join(word for word in words if word))


def sort_values(row: ChartRow) -> dict[str, Any]:
    """By column what it is ordered by: a text or a number, of one kind in each column; None: nothing is known."""
    c = row.health
    return {
        "status": STATUSES.index(c.status),
        "name": folded(c.name),
        "synced": _seconds(c.last_sync),
        "runs": c.success_rate,
        "next": _seconds(c.next_run),
    }


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
