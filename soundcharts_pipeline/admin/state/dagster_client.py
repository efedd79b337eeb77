"""Dagster, as its webserver answers over GraphQL: runs, what failed in them, daemons, schedules, and launching."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import requests

from soundcharts_pipeline.admin.state import dagster_queries
from soundcharts_pipeline.admin.state.dagster_answers import given_up, run_record
from soundcharts_pipeline.admin.state.failure_events import EndedTick, ended_tick, said_of_run, step_failure
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.given_up import LOOK_BACK, MOST, GivenUp
from soundcharts_pipeline.monitoring.run_history import RunRecord
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC, VERSION_TAG
from soundcharts_pipeline.orchestration.run_events import SaidOfRun, failed_as_a_whole, key_of_step, moment
from soundcharts_pipeline.orchestration.run_requests import CANCELED_BACKFILLS, IN_FLIGHT
from soundcharts_pipeline.orchestration.stops import GIVEN_UP

CONNECT_SECONDS = 3.05
# A webserver that is loading its code answers late. A launch is asked about once: when its answer does not come, the
# run may have been queued all the same.
ANSWER_SECONDS = 20.0
LAUNCH_SECONDS = 60.0
RUNS_AT_ONCE = 500
CHARTS_AT_ONCE = 25
EVENTS_AT_ONCE = 1000
# On a run that we ask for, to find it by when Dagster refuses it.
REQUEST_TAG = "soundcharts/request"
# A run that logs for hours has some thousands of events; its failure is among the last.
MOST_EVENT_PAGES = 50


class DagsterUnreachable(PipelineError):
    """Dagster's webserver gives no answer that could be used; the message is a sentence for people."""


class LaunchRefused(PipelineError):
    """Dagster answers, and does not start the run."""


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
    those of the schedules that are on; `charts_version` is that of the charts file that the code has loaded;
    `failed_locations` are those, anybody's, whose code could not be loaded or is gone."""

    daemons: tuple[Daemon, ...]
    repository: tuple[str, str] | None
    next_ticks: Mapping[str, datetime]
    charts_version: str = ""
    failed_locations: tuple[str, ...] = ()


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

    def runs(self, filters: Mapping[str, object], *, most: int, before: str | None = None) -> Iterator[RunRecord]:
        """Runs of a RunsFilter, newest first, page by page; older ones than the run `before`."""
        cursor, left = before, most
        while left > 0:
            limit = min(RUNS_AT_ONCE, left)
            page = self._ask(dagster_queries.RUNS, "runsOrError", filter=filters, cursor=cursor, limit=limit)["results"]
            yield from map(run_record, page)
            if len(page) < limit:
                return
            cursor, left = page[-1]["runId"], left - len(page)

    def newest_of_charts(self, slugs: Sequence[str], most: int) -> Iterator[RunRecord]:
        """The newest runs of each chart, of those that were launched for it alone."""
        for start in range(0, len(slugs), CHARTS_AT_ONCE):
            asked = slugs[start : start + CHARTS_AT_ONCE]
            for found in self._post(dagster_queries.runs_of_charts(asked, most), {}).values():
                yield from map(run_record, found.get("results", ()))

    def in_flight(self) -> list[RunRecord]:
        """Every run that is queued or at work, whoever launched it."""
        return list(self.runs({"statuses": [status.value for status in IN_FLIGHT]}, most=RUNS_AT_ONCE))

    def ended_steps(self, run_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """Asset keys of the steps that succeeded, by run; runs that Dagster has no more are left out."""
        if not run_ids:
            return {}
        found = self._ask(dagster_queries.STEPS, "runsOrError", filter={"runIds": list(run_ids)})["results"]
        return {
            run["runId"]: frozenset(key_of_step(s["stepKey"]) for s in run["stepStats"] if s["status"] == "SUCCESS")
            for run in found
        }

    def made(self, run_ids: Collection[str]) -> dict[str, list[tuple[str, str]]]:
        """Assets and partitions that were materialized, by run."""
        if not run_ids:
            return {}
        found = self._ask(dagster_queries.MADE, "runsOrError", filter={"runIds": list(run_ids)})["results"]
        return {
            run["runId"]: [
                ("/".join(made["assetKey"]["path"]), made["partition"])
                for made in run["assetMaterializations"]
                if made["assetKey"] and made["partition"]
            ]
            for run in found
        }

    def materialized(self, asset: str, partitions: Sequence[str]) -> set[str]:
        """Those of its partitions on which the asset is materialised. Raises DagsterUnreachable while our code is not
        loaded, too."""
        found: set[str] = set()
        for start in range(0, len(partitions), RUNS_AT_ONCE):
            asked = {"key": {"path": asset.split("/")}, "partitions": list(partitions[start : start + RUNS_AT_ONCE])}
            made = self._ask(dagster_queries.MATERIALIZED, "assetNodeOrError", **asked)
            found |= {one["partition"] for one in made["latestMaterializationByPartition"] if one}
        return found

    def failure(self, run_id: str) -> RunError:
        """Why a run failed: its first failed step, or what was said of it as a whole."""
        cursor = None
        said: list[SaidOfRun] = []
        for _ in range(MOST_EVENT_PAGES):
            page = self._ask(dagster_queries.EVENTS, "logsForRun", runId=run_id, cursor=cursor, limit=EVENTS_AT_ONCE)
            for event in page["events"]:
                if event["__typename"] == "ExecutionStepFailureEvent":
                    return step_failure(event)
                if event["__typename"] in ("RunFailureEvent", "EngineEvent"):
                    said.append(said_of_run(event))
            if not page["hasMore"]:
                break
            cursor = page["cursor"]
        return failed_as_a_whole(said)

    def given_up(self, now: datetime) -> list[GivenUp]:
        """The newest backfills of chart-days that Dagster gave up. `now` is that of its clock."""
        filters = {"statuses": [one.value for one in GIVEN_UP], "createdAfter": (now - LOOK_BACK).timestamp()}
        found = self._ask(dagster_queries.GIVEN_UP, "partitionBackfillsOrError", filters=filters, limit=MOST)["results"]
        return [one for one in map(given_up, found) if one.keys]

    def canceled_backfills(self, backfills: Iterable[str]) -> set[str]:
        """Those of them that somebody canceled, and not one of their runs alone."""
        asked = " ".join(
            f"b{number}: partitionBackfillOrError(backfillId: {json.dumps(one)}) {{ ...Parts }}"
            for number, one in enumerate(backfills)
        )
        found = self._post(f"query {{ {asked} }} fragment Parts on PartitionBackfill {{ id status }}", {}).values()
        canceled = {status.value for status in CANCELED_BACKFILLS}
        return {one["id"] for one in found if one.get("status") in canceled}

    def deployment(self) -> Deployment:
        """Daemons, our code location, and when each schedule ticks next."""
        data = self._post(dagster_queries.DEPLOYMENT, {})
        nodes = data["repositoriesOrError"].get("nodes", [])
        jobs = [(node, job) for node in nodes for job in node["pipelines"] if job["name"] == FULL_SYNC]
        ours, job = jobs[0] if jobs else (None, {"tags": []})
        daemons = data["instance"]["daemonHealth"]["allDaemonStatuses"]
        return Deployment(
            daemons=tuple(map(_daemon, daemons)),
            repository=(ours["location"]["name"], ours["name"]) if ours else None,
            next_ticks={} if ours is None else dict(_next_ticks(ours["schedules"])),
            charts_version=next((tag["value"] for tag in job["tags"] if tag["key"] == VERSION_TAG), ""),
            failed_locations=tuple(_failed_locations(data["workspaceOrError"].get("locationEntries", []))),
        )

    def last_ticks(self, schedules: Iterable[str], repository: tuple[str, str]) -> dict[str, EndedTick]:
        """The last tick that is over of each of these, of those that ever ticked."""
        location, name = (json.dumps(part) for part in repository)
        named = {f"t{number}": schedule for number, schedule in enumerate(schedules)}
        selector = f"{{repositoryLocationName: {location}, repositoryName: {name}, scheduleName: %s}}"
        asked = " ".join(
            f"{key}: scheduleOrError(scheduleSelector: {selector % json.dumps(schedule)}) {{ ...LastTick }}"
            for key, schedule in named.items()
        )
        found = self._post(f"query {{ {asked} }} {dagster_queries.LAST_TICK}", {})
        ticks = {named[key]: one["scheduleState"]["ticks"] for key, one in found.items() if "scheduleState" in one}
        return {schedule: ended_tick(ended[0]) for schedule, ended in ticks.items() if ended}

    def reload(self, location: str) -> str:
        """Have a code location loaded again, which takes some seconds; returns why it could not be, "" when it was."""
        found = self._post(dagster_queries.RELOAD, {"location": location}, LAUNCH_SECONDS)["reloadRepositoryLocation"]
        told = found.get("locationOrLoadError") or found
        return str(told["message"]).strip()[:300] if "message" in told else ""

    def launch(self, job: str, *, tags: Mapping[str, str], keys: Sequence[str], repository: tuple[str, str]) -> str:
        """Queue a run of these assets; returns its id. Raises LaunchRefused too, and leaves no run behind then."""
        location, name = repository
        mark = {"key": REQUEST_TAG, "value": uuid4().hex}
        params = {
            "selector": {
                "repositoryLocationName": location,
                "repositoryName": name,
                "jobName": job,
                "assetSelection": [{"path": key.split("/")} for key in keys],
            },
            "runConfigData": {},
            "executionMetadata": {"tags": [mark, *({"key": key, "value": value} for key, value in tags.items())]},
        }
        try:
            found = self._post(dagster_queries.LAUNCH, {"params": params}, LAUNCH_SECONDS)["launchRun"]
        except DagsterUnreachable as error:  # Dagster makes the run before it looks at its days
            made = next(self.runs({"tags": [mark]}, most=1), None)
            if made is None:
                raise
            if made.status != "NOT_STARTED":
                return made.run_id
            self._post(dagster_queries.DELETE, {"run": made.run_id})
            raise LaunchRefused(f"it made the run and could not plan it: {error}") from None
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


def _daemon(status: Mapping[str, Any]) -> Daemon:
    errors = tuple(error["message"].strip() for error in status["lastHeartbeatErrors"])
    return Daemon(status["daemonType"], status["required"], moment(status["lastHeartbeatTime"]), errors)


def _failed_locations(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        loaded = entry["locationOrLoadError"]  # None while it is being loaded for the first time
        if loaded is not None and loaded["__typename"] == "PythonError":
            yield entry["name"]


def _next_ticks(schedules: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, datetime]]:
    for schedule in schedules:
        ticks = schedule["futureTicks"]["results"]
        if schedule["scheduleState"]["status"] == "RUNNING" and ticks:
            yield schedule["name"], datetime.fromtimestamp(ticks[0]["timestamp"], UTC)
