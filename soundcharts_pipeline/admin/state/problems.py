"""What is wrong with the deployment, in sentences for people on call."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from soundcharts_pipeline.admin.state.dagster_client import Deployment

# Every loop of the daemon beats each 30 s; when all are silent for this long, the process is gone. (Dagster itself
# calls a daemon unhealthy after half an hour.)
LONGEST_SILENCE = timedelta(seconds=50)
# A loop at work on a long evaluation may be silent while others beat.
LONGEST_SILENCE_OF_ONE = timedelta(minutes=10)


def deployment_problems(deployment: Deployment, now: datetime) -> Iterator[str]:
    """One sentence for each thing that keeps runs from being started or requested."""
    if deployment.repository is None:
        yield (
            "Dagster has not loaded this project's code; it is told to again and again, and the Deployment page of its "
            "UI shows why, and has the button to do so at once"
        )
    required = [daemon for daemon in deployment.daemons if daemon.required]
    heard = max((daemon.heard_at for daemon in required if daemon.heard_at is not None), default=None)
    if heard is None or now - heard > LONGEST_SILENCE:
        since = "was never heard of" if heard is None else f"was last heard of at {heard:%Y-%m-%d %H:%M:%S} UTC"
        yield (
            f"Dagster's daemon {since}: queued runs do not start, schedules and sensors do not run; "
            "start it again with `soundcharts-pipeline serve` or `dagster-daemon run`"
        )
        return
    for daemon in required:
        if daemon.errors:
            yield f"Dagster's {daemon.kind} daemon reports an error: {_line(daemon.errors[0])}; see its log"
        elif daemon.heard_at is not None and now - daemon.heard_at > LONGEST_SILENCE_OF_ONE:
            yield f"Dagster's {daemon.kind} daemon is silent since {daemon.heard_at:%H:%M:%S} UTC; see its log"


def _line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "without a word"
