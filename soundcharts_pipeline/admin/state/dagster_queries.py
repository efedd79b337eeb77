"""What is asked of Dagster's webserver, in GraphQL. An error comes in place of the answer, with its message."""

import json
from collections.abc import Sequence

from soundcharts_pipeline.orchestration.run_requests import CHART_TAG

_RUN_PARTS = """fragment RunParts on Run {
  runId status jobName creationTime startTime endTime updateTime tags { key value } assetSelection { path }
}"""
RUNS = (
    _RUN_PARTS
    + """
query ($filter: RunsFilter!, $cursor: String, $limit: Int) {
  runsOrError(filter: $filter, cursor: $cursor, limit: $limit) {
    __typename ... on Runs { results { ...RunParts } } ... on Error { message }
  }
}"""
)
STEPS = """query ($filter: RunsFilter!) {
  runsOrError(filter: $filter) {
    __typename ... on Runs { results { runId stepStats { stepKey status } } } ... on Error { message }
  }
}"""
MADE = """query ($filter: RunsFilter!) {
  runsOrError(filter: $filter) {
    __typename ... on Runs { results { runId assetMaterializations { assetKey { path } partition } } }
    ... on Error { message }
  }
}"""
MATERIALIZED = """query ($key: AssetKeyInput!, $partitions: [String!]) {
  assetNodeOrError(assetKey: $key) {
    __typename
    ... on AssetNode { latestMaterializationByPartition(partitions: $partitions) { partition } }
    ... on Error { message }
  }
}"""
EVENTS = """fragment Chain on PythonError { className message causes { className message } }
query ($runId: ID!, $cursor: String, $limit: Int) {
  logsForRun(runId: $runId, afterCursor: $cursor, limit: $limit) {
    __typename
    ... on EventConnection {
      cursor hasMore
      events {
        __typename
        ... on RunFailureEvent { message error { ...Chain } }
        ... on EngineEvent { message error { ...Chain } }
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
LAUNCH = """mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message }
  }
}"""
DEPLOYMENT = """query {
  instance { daemonHealth { allDaemonStatuses {
    daemonType required healthy lastHeartbeatTime lastHeartbeatErrors { message }
  } } }
  repositoriesOrError {
    __typename
    ... on RepositoryConnection { nodes {
      name location { name } pipelines { name tags { key value } }
      schedules { name scheduleState { status } futureTicks(limit: 1) { results { timestamp } } }
    } }
    ... on Error { message }
  }
  workspaceOrError {
    __typename
    ... on Workspace { locationEntries { name locationOrLoadError { __typename } } }
    ... on Error { message }
  }
}"""
LAST_TICK = """fragment LastTick on Schedule {
  scheduleState { ticks(limit: 1, statuses: [SUCCESS, SKIPPED, FAILURE]) {
    timestamp status error { className message causes { className message } }
  } }
}"""
GIVEN_UP = """query ($filters: BulkActionsFilter!, $limit: Int!) {
  partitionBackfillsOrError(filters: $filters, limit: $limit) {
    __typename
    ... on PartitionBackfills { results { id timestamp endTimestamp partitionNames error { message } } }
    ... on Error { message }
  }
}"""
DELETE = "mutation ($run: String!) { deletePipelineRun(runId: $run) { __typename } }"
RELOAD = """mutation ($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
    ... on Error { message }
  }
}"""


def runs_of_charts(slugs: Sequence[str], most: int) -> str:
    """The newest runs of each of these charts, in one query."""
    asked = " ".join(
        f"r{number}: runsOrError(filter: {{tags: [{{key: {json.dumps(CHART_TAG)}, value: {json.dumps(slug)}}}]}}, "
        f"limit: {most}) {{ __typename ... on Runs {{ results {{ ...RunParts }} }} }}"
        for number, slug in enumerate(slugs)
    )
    return f"query {{ {asked} }} {_RUN_PARTS}"
