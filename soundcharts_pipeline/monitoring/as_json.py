"""A chart and its tasks as the internal API and `status --json` give them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from soundcharts_pipeline.monitoring.health import ChartHealth, Task


def as_json(content: object) -> bytes:
    """Times as ISO 8601 in UTC, days as YYYY-MM-DD."""
    return json.dumps(content, default=_text, ensure_ascii=False).encode()


def status_of(health: ChartHealth, problems: Sequence[str]) -> dict[str, object]:
    """A chart's status as `status --json` and the API give it. `problems` are sentences on what cannot be reached."""
    said = asdict(health)
    said["strip"] = [{"day": day, "state": state} for day, state in health.strip]
    said["tasks"] = [task_of(task) for task in health.tasks]
    return {**said, "problems": list(problems)}


def task_of(task: Task) -> dict[str, object]:
    said = asdict(task)
    del said["chart"]
    return said


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)
