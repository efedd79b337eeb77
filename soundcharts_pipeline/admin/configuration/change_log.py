"""Who changed what in charts.yaml by these pages: one line of JSON a change, in the data directory, for its owner."""

import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FILE = "configuration_changes.jsonl"
# The last ones are looked for in so many bytes of the file's end.
READ_BYTES = 262_144

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change. `keys`: what the chart's own lines said before and say now, by key (None: nothing)."""

    at: datetime
    by: str
    chart: str
    did: str
    keys: Mapping[str, tuple[str | None, str | None]]


class ChangeLog:
    """The file, in this folder. Any thread may write."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.Lock()

    def note(self, change: Change) -> None:
        """Add a line, here and in the program's log. The change is made already, so a disk that refuses is a line in
        the log and nothing more."""
        line = json.dumps(asdict(change) | {"at": change.at.isoformat()}, ensure_ascii=False)
        _log.info("charts.yaml: %s", line)
        try:
            with self._lock:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(handle, f"{line}\n".encode())
                finally:
                    os.close(handle)
        except OSError as error:
            _log.warning("%s cannot be written (%s): the change above is not kept there", self.path, error.strerror)

    def newest(self, most: int, chart: str | None = None) -> list[Change]:
        """The last changes, of one chart or of all, the newest first. Lines that somebody broke are left out."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, self.path.stat().st_size - READ_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return []
        found = [change for line in reversed(lines) if (change := _change(line)) is not None]
        return [change for change in found if chart in (None, change.chart)][:most]


def _change(line: str) -> Change | None:
    try:
        said = json.loads(line)
        keys = {str(key): (before, after) for key, (before, after) in said["keys"].items()}
        at = datetime.fromisoformat(said["at"]).astimezone(UTC)
        return Change(at=at, by=str(said["by"]), chart=str(said["chart"]), did=str(said["did"]), keys=keys)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
