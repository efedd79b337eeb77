"""The charts file as the pages see and change it, one change at a time, and what is done once one is saved."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from soundcharts_pipeline.admin.access.rate_limit import client_of
from soundcharts_pipeline.admin.configuration.change_log import Change, ChangeLog
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.charts_text import written_keys
from soundcharts_pipeline.config.edit_charts import Draft
from soundcharts_pipeline.config.read_charts import parse_settings, read_charts_text
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.planning.plan import Allowance

EFFECT = (
    "Runs in flight keep the settings they started with; the next run, the next tick of a schedule and the next page "
    "use the new ones."
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What these pages need of the program around them. `asking` opens a context for calls, which are counted at its
    end; `planning` gives one that makes none; `reserve` is how many billed calls are kept back."""

    asking: Callable[[], AbstractContextManager[SyncContext]]
    planning: Callable[[], SyncContext]
    reserve: int
    changes: ChangeLog


@dataclass(frozen=True, slots=True)
class ChartsFile:
    """The file at one moment."""

    path: Path
    text: str
    settings: Settings


class Editor:
    """Reads the file anew for every request. Methods are for threads."""

    def __init__(self, live: Live, surroundings: Surroundings) -> None:
        self.live, self.surroundings = live, surroundings
        self._saving = threading.Lock()

    def read(self) -> ChartsFile:
        """Raises SettingsError for a file that cannot be read, or has mistakes."""
        path = self.live.charts_file
        text = read_charts_text(path)
        return ChartsFile(path, text, parse_settings(text, source=str(path), clock=self.live.clock))

    def save(self, draft: Draft, request: Request, *, chart: str, did: str) -> None:
        """Put the draft in place, have it take effect, and note who did it. Raises SettingsError."""
        with self._saving:
            draft.save()
            took_effect(self.live)
            self.surroundings.changes.note(
                Change(at=utc_now(), by=_who(request), chart=chart, did=did, keys=_keys(draft, chart))
            )

    def allowance(self) -> Allowance:
        """As the last look saw it, without a call; 0 calls per minute: nobody knows."""
        snapshot, own = self.live.snapshot, self.live.calls_per_minute
        limits = [own, snapshot.minute.server_limit if snapshot.minute else None]
        per_minute = min((limit for limit in limits if limit), default=0)
        return Allowance(snapshot.usage.quota_left if snapshot.usage else None, self.surroundings.reserve, per_minute)


def took_effect(live: Live) -> None:
    """A new file is in place: from now on this program goes by it, and has Dagster load it too."""
    live.settings_changed()


def _who(request: Request) -> str:
    """The role of the session, and the address."""
    return f"{request.state.session.role}, {client_of(request) or 'unknown address'}"


def _keys(draft: Draft, slug: str) -> Mapping[str, tuple[str | None, str | None]]:
    before, after = (_own(text, slug) for text in (draft.before, draft.after))
    keys = dict.fromkeys([*before, *after])
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _own(text: str, slug: str) -> dict[str, str]:
    """What the chart's own lines say, in their order."""
    own = [(key, said) for key, said in written_keys(text, slug).items() if said.source == "chart"]
    return {key: said.text for key, said in sorted(own, key=lambda one: one[1].line or 0)}
