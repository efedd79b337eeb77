"""charts.yaml is read again wherever its content has changed: here at each look, and by Dagster's code location when it
is told to load itself again, which this does. Web server and daemon see the new code server within a second or two."""

import logging
import threading
import time

from soundcharts_pipeline.admin.state.dagster_client import Dagster, DagsterUnreachable, Deployment

# Loading the code takes some five seconds, on a busy machine ten.
LOAD_SECONDS = 60.0
LOOK_SECONDS = 0.5

_log = logging.getLogger(__name__)


class CodeReload:
    """Has Dagster load the charts file that this process has read, once for each content of the file."""

    def __init__(self, dagster: Dagster) -> None:
        self._dagster = dagster
        self._lock = threading.Lock()
        self._asked_for = ""
        self._failed = ""

    def problem(self, deployment: Deployment | None, version: str) -> str | None:
        """Ask for a reload if it is due; what to say while Dagster works with another version of the file."""
        if deployment is None or deployment.repository is None or is_current(deployment, version):
            return None
        with self._lock:
            if self._asked_for != version:
                self._asked_for, self._failed = version, ""
                threading.Thread(target=self._reload, args=[deployment.repository[0]], daemon=True).start()
        if self._failed:
            return (
                f"charts.yaml has changed, and Dagster did not load it ({self._failed}): its schedules and runs go by "
                "the file as it was; the Deployment page of its UI has the button to reload"
            )
        return "charts.yaml has changed: Dagster is loading it, its schedules and new runs go by it in a moment"

    def wait(self, version: str) -> Deployment | None:
        """The deployment, once it goes by this version of the file; None when that takes too long. Raises
        DagsterUnreachable."""
        deadline = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < deadline:
            deployment = self._dagster.deployment()
            if deployment.repository is not None and self.problem(deployment, version) is None:
                return deployment
            if self._failed:
                return None
            time.sleep(LOOK_SECONDS)
        return None

    def _reload(self, location: str) -> None:
        try:
            self._failed = self._dagster.reload(location)
        except DagsterUnreachable as error:
            _log.warning("charts.yaml has changed, and Dagster could not be told: %s", error)
            self._asked_for = ""  # the next look asks again


def is_current(deployment: Deployment, version: str) -> bool:
    """Whether Dagster's code goes by this version of the charts file; one that does not say is taken at its word."""
    return deployment.charts_version in ("", version)
