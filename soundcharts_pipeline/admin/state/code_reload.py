"""Dagster's code location is told to load itself again wherever it does not go by charts.yaml as it is, or has no code
at all: by itself Dagster never asks a second time. Web server and daemon see the new code server within a second or
two."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from soundcharts_pipeline.admin.state.dagster_client import Dagster, DagsterUnreachable, Deployment

# Loading the code takes some five seconds, on a busy machine ten.
LOAD_SECONDS = 60.0
LOOK_SECONDS = 0.5
# When nothing came of it, it is asked again after 5, 10, 20, ... seconds: each time its code server starts anew.
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0

_log = logging.getLogger(__name__)


class CodeReload:
    """Has Dagster load the charts file that this process has read, until it goes by it. Nothing is asked while the file
    has mistakes, which would take away the code that Dagster has."""

    def __init__(self, dagster: Dagster) -> None:
        self._dagster = dagster
        self._lock = threading.Lock()
        self._location = ""
        self._asked_for = ""
        self._times = 0
        self._is_loading, self._again_at = False, 0.0
        self._failed = ""

    def problem(self, deployment: Deployment | None, version: str) -> str | None:
        """Ask for a reload if it is due; what to say while Dagster works with another version of the file, or without
        code. `version` is "" for a file with mistakes: once it is mended, a reload is due at once."""
        with self._lock:
            if not version or deployment is None:
                self._asked_for = ""
                return None
            if deployment.repository is not None:
                self._location = deployment.repository[0]
                if is_current(deployment, version):
                    self._asked_for = ""  # whatever it loses from now on is lost anew
                    return None
            if self._asked_for != version:
                self._asked_for, self._times, self._again_at, self._failed = version, 0, 0.0, ""
            locations = self._to_reload(deployment)
            if locations and not self._is_loading and time.monotonic() >= self._again_at:
                self._times, self._is_loading, self._failed = self._times + 1, True, ""
                threading.Thread(target=self._reload, args=[locations], daemon=True).start()
            return self._sentence(deployment) if locations else None

    def wait(self, version: Callable[[], str]) -> Deployment | None:
        """The deployment, once it goes by the version of the file at that moment; None when that takes too long, or the
        file has mistakes by now. Raises DagsterUnreachable."""
        deadline = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < deadline:
            deployment, wanted = self._dagster.deployment(), version()
            problem = self.problem(deployment, wanted)
            if wanted and problem is None and deployment.repository is not None:
                return deployment
            if not wanted or self._failed:
                return None
            time.sleep(LOOK_SECONDS)
        return None

    def _to_reload(self, deployment: Deployment) -> Sequence[str]:
        """Ours; while it was never seen loaded, every location that Dagster could not load may be it."""
        if deployment.repository is not None:
            return [deployment.repository[0]]
        return [name for name in deployment.failed_locations if self._location in ("", name)]

    def _reload(self, locations: Sequence[str]) -> None:
        failed = ""
        try:
            for location in locations:
                failed = self._dagster.reload(location) or failed
        except DagsterUnreachable as error:
            failed = str(error)
        finally:
            with self._lock:
                pause = min(FIRST_PAUSE_SECONDS * 2 ** min(self._times - 1, 10), LONGEST_PAUSE_SECONDS)  # no overflow
                self._failed, self._is_loading, self._again_at = failed, False, time.monotonic() + pause
        if failed:
            _log.warning("Dagster did not load this project's code again, and is asked again: %s", failed)

    def _sentence(self, deployment: Deployment) -> str:
        if deployment.repository is None:
            why = f" It could not when it was last told to: {self._failed}" if self._failed else ""
            return f"Dagster is told to load this project's code again, until it does.{why}"
        if self._failed:
            return (
                f"charts.yaml has changed, and Dagster did not load it ({self._failed}): its schedules and runs go by "
                "the file as it was; it is told again, and the Deployment page of its UI has the button to reload"
            )
        if self._times > 1 and not self._is_loading:
            return (
                "Dagster was told to load charts.yaml, and goes by another content of it: see that SOUNDCHARTS_CHARTS "
                "names the same file where Dagster's code server runs; it is told again"
            )
        return "charts.yaml has changed: Dagster is loading it, its schedules and new runs go by it in a moment"


def is_current(deployment: Deployment, version: str) -> bool:
    """Whether Dagster's code goes by this version of the charts file; one that does not say is taken at its word."""
    return deployment.charts_version in ("", version)
