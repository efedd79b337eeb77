"""The snapshot in Prometheus' text format."""

from collections.abc import Iterator, Mapping
from typing import get_args

from soundcharts_pipeline.admin.state.live import Snapshot
from soundcharts_pipeline.monitoring.health import ChartHealth, ChartStatus, TaskState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


def metrics_text(snapshot: Snapshot) -> str:
    """One gauge after the other; a value that is not known is left out."""
    charts = list(snapshot.charts.values())
    lines: list[str] = []
    for name, help_text, samples in _gauges(snapshot, charts):
        rows = [f"{name}{_labels(labels)} {value:.17g}" for labels, value in samples]
        if rows:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", *rows]
    return "\n".join(lines) + "\n"


def _gauges(snapshot: Snapshot, charts: list[ChartHealth]) -> Iterator[tuple[str, str, list[Sample]]]:
    yield "soundcharts_problems", "Things that cannot be reached.", [({}, len(snapshot.problems))]
    if snapshot.taken_at is not None:
        yield "soundcharts_snapshot_timestamp_seconds", "When this was true.", [({}, snapshot.taken_at.timestamp())]
    yield (
        "soundcharts_chart_status",
        "1 for the status that a chart has.",
        [
            ({"chart": chart.chart, "status": status}, float(chart.status == status))
            for chart in charts
            for status in get_args(ChartStatus)
        ],
    )
    yield (
        "soundcharts_chart_last_sync_timestamp_seconds",
        "End of the last successful run.",
        [({"chart": chart.chart}, chart.last_sync.timestamp()) for chart in charts if chart.last_sync],
    )
    yield (
        "soundcharts_chart_success_rate",
        "Share of the last 20 ended runs that succeeded.",
        [({"chart": chart.chart}, chart.success_rate) for chart in charts if chart.success_rate is not None],
    )
    yield (
        "soundcharts_chart_errors",
        "Failed runs among the last 20 that ended.",
        [({"chart": chart.chart}, chart.error_count) for chart in charts],
    )
    yield (
        "soundcharts_tasks",
        "Tasks that are queued or at work.",
        [
            ({"chart": chart.chart, "status": state}, sum(task.status == state for task in chart.tasks))
            for chart in charts
            for state in get_args(TaskState)[:2]
        ],
    )
    yield (
        "soundcharts_left_out",
        "1 for what Soundcharts refuses to this plan.",
        [({"scope": state.scope}, 1.0) for state in snapshot.refusing if state.is_left_out],
    )
    usage = snapshot.usage
    if usage is not None:
        yield "soundcharts_calls_today", "Calls of this UTC day.", [({}, usage.calls)]
        yield "soundcharts_call_errors_today", "Calls of this UTC day that failed.", [({}, usage.errors)]
        yield "soundcharts_calls_throttled_today", "Calls of this UTC day that had to wait.", [({}, usage.throttled)]
        yield "soundcharts_accounts_not_found_today", "Accounts that do not exist.", [({}, usage.not_found)]
        if usage.quota_left is not None:
            yield "soundcharts_quota_left", "Billed calls left of the term.", [({}, usage.quota_left)]


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
