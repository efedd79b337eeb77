"""Dagster, as its webserver answers over GraphQL: runs, what failed in them, daemons, schedules, and launching."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from soundcharts_pipeline.failures import KIND
from soundcharts_pipeline.health import ErrorFacts
from soundcharts_pipeline.jobs import FULL_SYNC
from soundcharts_pipeline.run_facts import RunRow, failed_as_a_whole, key_of_step, moment
from soundcharts_pipeline.run_requests import IN_FLIGHT

CONNECT_SECONDS = 3.05
# A webserver that is loading its code answers late. A launch is asked about once: when its answer does not come, the
# run may have been queued all the same.
ANSWER_SECONDS = 20.0
LAUNCH_SECONDS = 60.0
RUNS_AT_ONCE = 500
EVENTS_AT_ONCE = 1000
# A run that logs for hours has some thousands of events; its failure is among the last.
MOST_EVENT_PAGES = 50

_RUN = """fragment RunParts on Run {
  runId status jobName creationTime startTime endTime updateTime tags { key value } assetSelection { path }
}"""
_RUNS = (
    _RUN
    + """query ($filter: RunsFilter!, $cursor: String, $limit: Int) {
  runsOrError(filter: $filter, cursor: $cursor, limit: $limit) {
    __typename ... on Runs { results { ...RunParts } } ... on Error { message }
  }
}"""
)
_STEPS = """query ($filter: RunsFilter!) {
  runsOrError(filter: $filter) {
    __typename ... on Runs { results { runId stepStats { stepKey status } } } ... on Error { message }
  }
}"""
_EVENTS = """query ($runId: ID!, $cursor: String, $limit: Int) {
  logsForRun(runId: $runId, afterCursor: $cursor, limit: $limit) {
    __typename
    ... on EventConnection {
      cursor hasMore
      events {
        __typename
        ... on RunFailureEvent { message }
        ... on EngineEvent { message }
        ... on ExecutionStepFailureEvent {
          stepKey
          error { message className cause { message className } }
          failureMetadata { description metadataEntries { label ... on TextMetadataEntry { text } } }
        }
      }
    }
    ... on Error { message }
  }
}"""
_LAUNCH = """mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message }
  }
}"""
_DEPLOYMENT = """query {
  instance { daemonHealth { allDaemonStatuses {
    daemonType required healthy lastHeartbeatTime lastHeartbeatErrors { message }
  } } }
  repositoriesOrError {
    __typename
    ... on RepositoryConnection { nodes {
      name location { name } pipelines { name }
      schedules { name scheduleState { status } futureTicks(limit: 1) { results { timestamp } } }
    } }
    ... on Error { message }
  }
}"""


class DagsterUnreachable(Exception):
    """Dagster's webserver gives no answer that could be used; the message is a sentence for people."""


class LaunchRefused(Exception):
    """Dagster answers, and does not start the run."""


@dataclass(frozen=True, slots=True)
class UpdatedRun:
    """A run, and when anything about it last changed (seconds since 1970)."""

    row: RunRow
    updated: float


@dataclass(frozen=True, slots=True)
class Daemon:
    """One of the daemon's loops: when it was last heard of, and what it complained of then."""

    kind: str
    required: bool
    heard_at: datetime | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What runs beside us. `repository` is (location, name) of our code, None while it is not loaded; `next_ticks` are
    those of the schedules that are on."""

    daemons: tuple[Daemon, ...]
    repository: tuple[str, str] | None
    next_ticks: Mapping[str, datetime]


class Dagster:
    """A Dagster deployment behind the address of its webserver. Every method is one request or a few; any raises
    DagsterUnreachable. `shown_url` is where people find the UI, by default the same address."""

    def __init__(self, url: str, *, shown_url: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.shown_url = (shown_url or url).rstrip("/")
        self._session = requests.Session()
        # A proxy of the environment is for the world outside.
        self._session.trust_env = False

    def run_url(self, run_id: str) -> str:
        """The run in Dagster's UI."""
        return f"{self.shown_url}/runs/{run_id}"

    def runs(self, filters: Mapping[str, object], *, most: int) -> Iterator[UpdatedRun]:
        """Runs of a RunsFilter, newest first, page by page."""
        cursor, left = None, most
        while left > 0:
            limit = min(RUNS_AT_ONCE, left)
            page = self._ask(_RUNS, "runsOrError", filter=filters, cursor=cursor, limit=limit)["results"]
            yield from map(_updated_run, page)
            if len(page) < limit:
                return
            cursor, left = page[-1]["runId"], left - len(page)

    def in_flight(self) -> list[UpdatedRun]:
        """Every run that is queued or at work, whoever launched it."""
        return list(self.runs({"statuses": [status.value for status in IN_FLIGHT]}, most=RUNS_AT_ONCE))

    def ended_steps(self, run_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """Asset keys of the steps that succeeded, by run; runs that Dagster has no more are left out."""
        if not run_ids:
            return {}
        found = self._ask(_STEPS, "runsOrError", filter={"runIds": list(run_ids)})["results"]
        return {
            run["runId"]: frozenset(key_of_step(s["stepKey"]) for s in run["stepStats"] if s["status"] == "SUCCESS")
            for run in found
        }

    def failure(self, run_id: str) -> ErrorFacts:
        """Why a run failed: its first failed step, or what was said of it as a whole."""
        cursor = None
        said: list[str] = []
        for _ in range(MOST_EVENT_PAGES):
            page = self._ask(_EVENTS, "logsForRun", runId=run_id, cursor=cursor, limit=EVENTS_AT_ONCE)
            for event in page["events"]:
                if event["__typename"] == "ExecutionStepFailureEvent":
                    return _step_failure(event)
                if event["__typename"] in ("RunFailureEvent", "EngineEvent"):
                    said.append(event["message"])
            if not page["hasMore"]:
                break
            cursor = page["cursor"]
        return failed_as_a_whole(said)

    def deployment(self) -> Deployment:
        """Daemons, our code location, and when each schedule ticks next."""
        data = self._post(_DEPLOYMENT, {})
        nodes = data["repositoriesOrError"].get("nodes", [])
        ours = next((node for node in nodes if FULL_SYNC in [job["name"] for job in node["pipelines"]]), None)
        daemons = data["instance"]["daemonHealth"]["allDaemonStatuses"]
        return Deployment(
            daemons=tuple(map(_daemon, daemons)),
            repository=(ours["location"]["name"], ours["name"]) if ours else None,
            next_ticks={} if ours is None else dict(_next_ticks(ours["schedules"])),
        )

    def launch(self, job: str, *, tags: Mapping[str, str], keys: Sequence[str], repository: tuple[str, str]) -> str:
        """Queue a run of these assets; returns its id. Raises LaunchRefused too."""
        location, name = repository
        params = {
            "selector": {
                "repositoryLocationName": location,
                "repositoryName": name,
                "jobName": job,
                "assetSelection": [{"path": key.split("/")} for key in keys],
            },
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        found = self._post(_LAUNCH, {"params": params}, LAUNCH_SECONDS)["launchRun"]
        if "run" not in found:
            raise LaunchRefused(f"{found['__typename']}: {found.get('message', '')}"[:300])
        run_id: str = found["run"]["runId"]
        return run_id

    def _ask(self, query: str, name: str, **variables: object) -> dict[str, Any]:
        """The one field of a query; an error that Dagster reports in its place is raised."""
        found: dict[str, Any] = self._post(query, variables)[name]
        if "message" in found:
            raise DagsterUnreachable(f"Dagster at {self.url} answers with an error: {found['message'][:300]}")
        return found

    def _post(self, query: str, variables: Mapping[str, object], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        try:
            answer = self._session.post(
                f"{self.url}/graphql",
                json={"query": query, "variables": variables},
                timeout=(CONNECT_SECONDS, seconds),
            )
            answer.raise_for_status()
            body = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise self._unreachable(error) from None
        if body.get("errors"):
            raise DagsterUnreachable(
                f"Dagster at {self.url} answers with an error: {body['errors'][0].get('message', '')[:300]}"
            )
        data: dict[str, Any] = body["data"]
        return data

    def _unreachable(self, error: Exception) -> DagsterUnreachable:
        return DagsterUnreachable(
            f"Dagster's webserver at {self.url} does not answer ({_reason(error)}); start it again, or see its log"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "nothing came in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"status {error.response.status_code}"
    return "its answer cannot be read"


def _updated_run(run: Mapping[str, Any]) -> UpdatedRun:
    selection = run["assetSelection"]
    created = run["creationTime"]
    row = RunRow(
        run_id=run["runId"],
        status=run["status"],
        job=run["jobName"],
        tags={tag["key"]: tag["value"] for tag in run["tags"]},
        selection=["/".join(key["path"]) for key in selection] if selection else None,
        created_at=datetime.fromtimestamp(created, UTC),
        started_at=moment(run["startTime"]),
        ended_at=moment(run["endTime"]),
    )
    return UpdatedRun(row, run["updateTime"] or created)


def _step_failure(event: Mapping[str, Any]) -> ErrorFacts:
    asset = key_of_step(event["stepKey"] or "")
    ours = event["failureMetadata"]
    if ours:
        kinds = [entry.get("text") for entry in ours["metadataEntries"] if entry["label"] == KIND]
        return ErrorFacts(asset, next(iter(kinds), None) or "", ours["description"] or "")
    error = event["error"] or {}
    cause = error.get("cause") or error
    return ErrorFacts(asset, cause.get("className") or "", (cause.get("message") or "unknown error").strip())


def _daemon(status: Mapping[str, Any]) -> Daemon:
    errors = tuple(error["message"].strip() for error in status["lastHeartbeatErrors"])
    return Daemon(status["daemonType"], status["required"], moment(status["lastHeartbeatTime"]), errors)


def _next_ticks(schedules: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, datetime]]:
    for schedule in schedules:
        ticks = schedule["futureTicks"]["results"]
        if schedule["scheduleState"]["status"] == "RUNNING" and ticks:
            yield schedule["name"], datetime.fromtimestamp(ticks[0]["timestamp"], UTC)
