"""The dashboard in pieces: each is rendered once for all who look, and sent again only when it has changed.

A piece is an element with an id; a list of pieces (tasks, rows of charts) is sent as its ids when its order changes.
Every change gets the next number, and a tab asks for what came after the number that it has seen. How long ago
something was is no change: the page itself counts on.
"""

import json
import re
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from soundcharts_pipeline.admin.pages.chart_table import SORTS, STATUSES, TableView
from soundcharts_pipeline.admin.pages.overview import ChartRow, Overview, overview
from soundcharts_pipeline.admin.pages.rendering import Renderer, with_ages
from soundcharts_pipeline.admin.state.live import Live, Snapshot
from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.monitoring.health import Task

# Root paths that proxies tell, twice: with buttons and without.
MOST_BOARDS = 8
_SECTIONS = ("problems", "totals", "at-work", "nothing-at-work", "charts", "errors", "calls", "as-of")
# Answers kept for other tabs that ask the same; a tab that slept asks something else.
MOST_ANSWERS = 8
Source = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What it was rendered from (None: look at the text), the text, and the number of its last change."""

    source: Source | None
    html: str
    changed: int


class Boards:
    """One board for each root path and for whether there are buttons. Methods are for threads."""

    def __init__(self, live: Live, renderer: Renderer) -> None:
        self._live, self._renderer = live, renderer
        self._boards: dict[tuple[str, bool], Board] = {}
        self._lock = threading.Lock()

    def whole(self, view: TableView, prefix: str, *, may_change: bool) -> tuple[str, Markup]:
        """What a tab has seen with it, and all of the board, the table of charts as it is wanted."""
        return self._newest(prefix, may_change).whole(view)

    def since(self, seen: str, prefix: str, *, may_change: bool) -> bytes | None:
        """What changed since then, as JSON; b'' when nothing did, None when all of it is needed."""
        return self._newest(prefix, may_change).since(seen)

    def _newest(self, prefix: str, may_change: bool) -> "Board":
        with self._lock:
            if (prefix, may_change) not in self._boards and len(self._boards) >= MOST_BOARDS:
                self._boards.clear()
            board = self._boards.setdefault((prefix, may_change), Board(self._renderer, prefix, may_change=may_change))
        board.look(self._live)
        return board


class Board:
    """All pieces, for one kind of reader. Threads may share it."""

    def __init__(self, renderer: Renderer, prefix: str, *, may_change: bool) -> None:
        self._renderer, self._prefix, self._may_change = renderer, prefix, may_change
        self._lock = threading.Lock()
        # Numbers of another process, or of a board that made room, mean nothing.
        self._born = secrets.token_hex(4)
        self._number = 0
        self._seen: Snapshot | None = None
        self._pieces: Mapping[str, Piece] = {}
        self._lists: Mapping[str, tuple[Sequence[str], int]] = {}
        self._answers: dict[int, bytes] = {}

    def look(self, live: Live) -> None:
        """Bring the pieces up to date; one thread does it for all."""
        with self._lock:
            snapshot = live.snapshot
            if snapshot is not self._seen:
                self._take(overview(snapshot, live.settings, live.calls_per_minute, utc_now(), live.clock().date()))
                self._seen = snapshot

    def whole(self, view: TableView) -> tuple[str, Markup]:
        """What a tab has seen with it, and all of the board. Rows that the view does not show are there, and hidden."""
        with self._lock:
            pieces, lists, seen = self._pieces, self._lists, self._name(self._number)
        (tasks, _), (order, _) = lists["tasks"], lists["rows"]
        rows = view.ordered([_row_of(pieces[one]) for one in order])
        shown = {_id_of(row) for row in rows if view.shows(row)}
        listed = {
            "tasks": [pieces[one].html for one in tasks],
            "rows": [_hidden_unless(pieces[one].html, shown=one in shown) for one in map(_id_of, rows)],
        }
        html = self._renderer.part(
            "board.html",
            piece=lambda name: Markup(pieces[name].html),  # noqa: S704  # rendered, with its texts escaped
            list=lambda name: Markup("".join(listed[name])),  # noqa: S704
            prefix=self._prefix,
            view=view,
            shown=len(shown),
            order=order,
            statuses=STATUSES,
            sorts=SORTS,
        )
        return seen, Markup(with_ages(html, utc_now()))  # noqa: S704

    def since(self, seen: str) -> bytes | None:
        """What changed since then, as JSON; b'' when nothing did, None when all of it is needed."""
        born, _, number = seen.partition("-")
        with self._lock:
            if born != self._born or not re.fullmatch("[0-9]{1,9}", number) or int(number) > self._number:
                return None
            if int(number) == self._number:
                return b""
            answer = self._answers.get(int(number)) or self._changes(int(number), utc_now())
            if len(self._answers) < MOST_ANSWERS:
                self._answers[int(number)] = answer
            return answer

    def _changes(self, number: int, now: datetime) -> bytes:
        changes = {
            "since": self._name(self._number),
            "pieces": {
                name: with_ages(piece.html, now) for name, piece in self._pieces.items() if piece.changed > number
            },
            "lists": {name: ids for name, (ids, changed) in self._lists.items() if changed > number},
        }
        return json.dumps(changes, ensure_ascii=False).encode()

    def _name(self, number: int) -> str:
        return f"{self._born}-{number}"

    def _take(self, o: Overview) -> None:
        """The pieces of a new overview; those that are the same keep their number."""
        following = self._number + 1
        before, pieces, lists = self._pieces, dict[str, Piece](), {"tasks": list[str](), "rows": list[str]()}
        for list_name, name, source in [*((None, name, None) for name in _SECTIONS), *_listed(o)]:
            old = before.get(name)
            if old is None or source is None or old.source != source:
                html = self._render(name, source, o)
                old = old if old and old.html == html else None
                pieces[name] = Piece(source, html, old.changed if old else following)
            else:
                pieces[name] = old
            if list_name:
                lists[list_name].append(name)
        self._lists = {
            name: known if (known := self._lists.get(name)) and known[0] == ids else (ids, following)
            for name, ids in lists.items()
        }
        self._pieces = pieces
        changed = [*(piece.changed for piece in pieces.values()), *(changed for _, changed in self._lists.values())]
        if max(changed) == following:
            self._number = following
            self._answers = {}

    def _render(self, name: str, source: Source | None, o: Overview) -> str:
        if source is None:
            return self._renderer.piece(name.replace("-", "_"), o, self._prefix)
        kind = "task" if isinstance(source[0], Task) else "row"
        return self._renderer.piece(kind, name, *source, self._prefix, self._may_change)


def _listed(o: Overview) -> Iterator[tuple[str, str, Source]]:
    """Of each task and each chart its list, its id and its facts."""
    for task in o.tasks:
        yield "tasks", f"task-{task.task_id}-{task.chart}", (task, o.name(task.chart))
    for row in o.charts:
        yield "rows", _id_of(row), (row, row.health.name)


def _id_of(row: ChartRow) -> str:
    return f"chart-{row.health.chart}"


def _row_of(piece: Piece) -> ChartRow:
    assert piece.source is not None  # noqa: S101  # only sections have none
    row = piece.source[0]
    assert isinstance(row, ChartRow)  # noqa: S101
    return row


def _hidden_unless(html: str, *, shown: bool) -> str:
    return html if shown else html.replace("<tr ", "<tr hidden ", 1)
