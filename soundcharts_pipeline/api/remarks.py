"""What an answer held that could not be taken as it came: nothing is left out in silence.

An answer is refused for its envelope alone. An optional field of an unforeseen form is left empty, a record without a
required one is left out, and a remark says so: where, of whom, which field, what was found and what was done.
"""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from soundcharts_pipeline.wording import clean

# What was done.
LEFT_EMPTY = "left empty"
LEFT_OUT = "left out"
STAND_IN = "which stands in"
UNNAMED = "kept without that name"
FIRST_COUNTS = "the first one counts"
LAST_COUNTS = "the last one counts"
NOT_IN_PLAN = "which the plan does not hold: left out"
KEPT = "kept under the one asked for"
SAID_AGAIN = "taken as they are: asked again, the answer was the same"

SHOWN_LENGTH = 80
EXAMPLES = 3
ABSENT: Final = object()


@dataclass(slots=True)
class RemarkCount:
    """Remarks of one kind: the endpoint and field, what was done, how often, and the first few as (whose, found)."""

    endpoint: str
    field: str
    done: str
    count: int = 0
    examples: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        whose, found = self.examples[0]
        times = "" if self.count == 1 else f", and {self.count - 1:,} more"
        return f"{self.endpoint} {self.field}: {found}{f' of {whose}' if whose else ''}, {self.done}{times}"


class Remarks:
    """Remarks of all threads: counted by kind, the first few of each kept. `drain` hands over what came since the last
    time. `redact` keeps credentials out of what is shown."""

    def __init__(self, redact: Callable[[str], str] = lambda text: text) -> None:
        self._redact = redact
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str], RemarkCount] = {}

    def add(self, endpoint: str, whose: str, field: str, found: Any, done: str) -> None:
        """Note one; `whose` is a UUID or a slug, `field` the path of the JSON key, `found` the value that came."""
        with self._lock:
            kind = self._counts.setdefault((endpoint, field, done), RemarkCount(endpoint, field, done))
            kind.count += 1
            if len(kind.examples) < EXAMPLES:
                kind.examples.append((self.shown(whose) if whose else "", self.shown(found)))

    def about(self, endpoint: str, whose: str = "", *path: str) -> "About":
        """For remarks on one record."""
        return About(self, endpoint, whose, list(path))

    def shown(self, found: Any) -> str:
        """A value of an answer as people may read it: short, on one line, without credentials."""
        text = " ".join(clean(self._redact(_plain(found))).split())
        return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 1]}…"

    def drain(self) -> list[RemarkCount]:
        """The kinds of remarks since the last time, the most frequent first."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return sorted(counts.values(), key=lambda kind: (-kind.count, kind.endpoint, kind.field))


@dataclass(slots=True)
class About:
    """Whom an answer or a record tells of. `path` is where in the record the reader is; one thread reads it."""

    remarks: Remarks
    endpoint: str
    whose: str = ""
    path: list[str] = dataclasses.field(default_factory=list)

    def remark(self, field: str, found: Any, done: str) -> None:
        self.remarks.add(self.endpoint, self.whose, ".".join([*self.path, *([field] if field else [])]), found, done)


def _plain(found: Any) -> str:
    if found is ABSENT:
        return "nothing"
    if isinstance(found, str):
        return found or "''"
    if isinstance(found, dict | list):
        return f"{'an object' if isinstance(found, dict) else 'a list'} of {len(found)}"
    if isinstance(found, bool) or found is None:
        return {True: "true", False: "false", None: "null"}[found]
    return str(found)
