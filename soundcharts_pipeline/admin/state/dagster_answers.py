"""What Dagster's webserver answered over GraphQL, as records."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from soundcharts_pipeline.monitoring.given_up import GivenUp
from soundcharts_pipeline.monitoring.run_history import RunRecord
from soundcharts_pipeline.orchestration.partitions import is_chart_day
from soundcharts_pipeline.orchestration.run_events import moment


def run_record(run: Mapping[str, Any]) -> RunRecord:
    """Of the fields that `RUNS` asks for."""
    selection = run["assetSelection"]
    created = run["creationTime"]
    return RunRecord(
        run_id=run["runId"],
        status=run["status"],
        job=run["jobName"],
        tags={tag["key"]: tag["value"] for tag in run["tags"]},
        selection=["/".join(key["path"]) for key in selection] if selection else None,
        created_at=datetime.fromtimestamp(created, UTC),
        started_at=moment(run["startTime"]),
        ended_at=moment(run["endTime"]),
        updated=run["updateTime"] or created,
    )


def given_up(backfill: Mapping[str, Any]) -> GivenUp:
    """Of the fields that `GIVEN_UP` asks for."""
    return GivenUp(
        backfill=backfill["id"],
        keys=frozenset(filter(is_chart_day, backfill["partitionNames"] or ())),
        began_at=datetime.fromtimestamp(backfill["timestamp"], UTC),
        ended_at=moment(backfill["endTimestamp"]),
        said=(backfill["error"] or {}).get("message") or "",
    )
