"""What the internal API says, as JSON: the status of a chart, and errors with their remedy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from starlette.responses import Response

from soundcharts_pipeline.health import ChartHealth, Task


class Refused(Exception):
    """A request that is not done: the status, what is wrong, what to do, and more fields of the answer."""

    def __init__(
        self,
        status: int,
        error: str,
        remedy: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(error)
        self.status, self.headers = status, headers
        self.body = {"error": error, "remedy": remedy, **(more or {})}

    def answer(self) -> Response:
        return json_answer(self.body, self.status, self.headers)


def json_answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(as_json(content), status, headers, media_type="application/json")


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
