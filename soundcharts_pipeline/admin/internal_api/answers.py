"""What the internal API takes and answers, as types: their schemas are those of openapi.json."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import ChartStatus, DayState, TaskState


class Trigger(BaseModel):
    model_config = ConfigDict(extra="forbid")

    date: dt.date | None = None


class Refusal(BaseModel):
    error: str
    remedy: str


class Queued(BaseModel):
    task_id: Annotated[str, Field(description="the id of the run in Dagster")]
    chart: str
    partition: Annotated[str, Field(examples=["global-28|2026-11-20"])]
    status: TaskState
    status_url: str


class Busy(Refusal, Queued):
    pass


class Health(BaseModel):
    status: Literal["ok", "unavailable"]


class Task(BaseModel):
    task_id: str
    partition: str
    status: TaskState
    trigger: str
    progress: Annotated[int, Field(ge=0, le=100)]
    step: str | None
    calls_per_second: float | None
    seconds_left: int | None
    logs_url: str | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    error: RunError | None


class Day(BaseModel):
    day: dt.date
    state: DayState


class Status(BaseModel):
    chart: str
    name: str
    platform: str | None
    schedule: str
    next_run: dt.datetime | None
    last_sync: dt.datetime | None
    success_rate: Annotated[float, Field(ge=0, le=1)] | None
    error_count: Annotated[int, Field(ge=0)]
    last_error: RunError | None
    status: ChartStatus
    reason: str
    left_out: list[str]
    strip: list[Day]
    tasks: list[Task]
    problems: list[str]


_SENT: list[tuple[type[BaseModel], JsonSchemaMode]] = [
    (Trigger, "validation"),
    *((answer, "serialization") for answer in (Queued, Busy, Refusal, Health, Status)),
]


class _WithoutTitles(GenerateJsonSchema):
    """A title would say the name of the field once more."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def schemas() -> dict[str, Any]:
    """The JSON schema of each type by the type's name, as components of an OpenAPI document."""
    _, document = models_json_schema(
        _SENT, ref_template="#/components/schemas/{model}", schema_generator=_WithoutTitles
    )
    found: dict[str, Any] = document["$defs"]
    return found
