"""The internal API as an OpenAPI 3.1 document."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from soundcharts_pipeline import __doc__ as about
from soundcharts_pipeline.health import ChartStatus, DayState, TaskState

_TIME = {"type": ["string", "null"], "format": "date-time"}
_TEXT = {"type": ["string", "null"]}
_BEARER = [{"bearer": list[str]()}]


def document(slugs: Sequence[str]) -> dict[str, Any]:
    """The document; `slugs` are the charts that the parameter may name."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "soundcharts_pipeline, internal API", "version": "1", "description": (about or "").strip()},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
        "paths": {
            "/admin/soundcharts/chart/{slug}/trigger-cascade/": {"post": _trigger(slugs)},
            "/admin/soundcharts/chart/{slug}/status/": {"get": _status(slugs)},
            "/admin/soundcharts/health/": {"get": _health()},
            "/admin/soundcharts/metrics": {"get": _metrics()},
            "/admin/soundcharts/openapi.json": {"get": _openapi()},
        },
    }


def _trigger(slugs: Sequence[str]) -> dict[str, Any]:
    return {
        "summary": "Queue the cascade of a chart on one day",
        "description": "Without a date the newest published day. A partition that is at work is not queued again.",
        "security": _BEARER,
        "parameters": [_slug(slugs)],
        "requestBody": {"required": False, **_content("Trigger")},
        "responses": {
            "202": {"description": "queued", **_content("Queued")},
            "409": {"description": "that partition is already queued or running", **_content("Busy")},
            **_refusals("400", "401", "404", "413", "429", "503"),
        },
    }


def _status(slugs: Sequence[str]) -> dict[str, Any]:
    return {
        "summary": "How a chart is doing, with its tasks",
        "security": _BEARER,
        "parameters": [_slug(slugs)],
        "responses": {"200": {"description": "its status", **_content("Status")}, **_refusals("401", "404")},
    }


def _health() -> dict[str, Any]:
    return {
        "summary": "For load balancers: whether all that syncing needs can be reached",
        "responses": {
            "200": {"description": "it can", **_content("Health")},
            "503": {"description": "it cannot; the status of any chart says what", **_content("Health")},
        },
    }


def _metrics() -> dict[str, Any]:
    return {
        "summary": "For Prometheus",
        "security": _BEARER,
        "responses": {
            "200": {"description": "text format", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **_refusals("401"),
        },
    }


def _openapi() -> dict[str, Any]:
    return {
        "summary": "This document",
        "security": _BEARER,
        "responses": {
            "200": {"description": "it", "content": {"application/json": {"schema": {"type": "object"}}}},
            **_refusals("401"),
        },
    }


def _slug(slugs: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "slug",
        "in": "path",
        "required": True,
        "description": f"a chart of charts.yaml: {', '.join(slugs)}",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"},
        "examples": {slug: {"value": slug} for slug in slugs[:5]},
    }


def _refusals(*statuses: str) -> dict[str, Any]:
    said = {
        "400": "the date or the body is wrong",
        "401": "no token, a wrong one, or none is configured",
        "404": "no such chart in charts.yaml",
        "413": "the body is too long",
        "429": "too many in a minute; Retry-After says when to come back",
        "503": "Dagster or the database cannot be reached",
    }
    return {status: {"description": said[status], **_content("Refusal")} for status in statuses}


def _content(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _object(properties: Mapping[str, Any], *, required: Sequence[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
    }


def _schemas() -> dict[str, Any]:
    refusal = {"error": {"type": "string"}, "remedy": {"type": "string"}}
    queued = {
        "task_id": {"type": "string", "description": "the id of the run in Dagster"},
        "chart": {"type": "string"},
        "partition": {"type": "string", "examples": ["global-28|2026-11-20"]},
        "status": _one_of(TaskState),
        "status_url": {"type": "string"},
    }
    error = _object(
        {"asset": {"type": "string"}, "kind": {"type": "string"}, "message": {"type": "string"}}
        | {"remedy": {"type": "string"}}
    )
    error_or_none = {"anyOf": [error, {"type": "null"}]}
    task = {
        "task_id": {"type": "string"},
        "partition": {"type": "string"},
        "status": _one_of(TaskState),
        "trigger": {"type": "string"},
        "progress": {"type": "integer", "minimum": 0, "maximum": 100},
        "step": _TEXT,
        "calls_per_second": {"type": ["number", "null"]},
        "seconds_left": {"type": ["integer", "null"]},
        "logs_url": _TEXT,
        "started_at": _TIME,
        "finished_at": _TIME,
        "error": error_or_none,
    }
    day = {"day": {"type": "string", "format": "date"}, "state": _one_of(DayState)}
    return {
        "Trigger": {
            "type": "object",
            "properties": {"date": {"type": ["string", "null"], "format": "date"}},
            "additionalProperties": False,
        },
        "Queued": _object(queued),
        "Busy": _object(refusal | queued),
        "Refusal": _object(refusal),
        "Health": _object({"status": {"enum": ["ok", "unavailable"]}}),
        "Status": _object(
            {
                "chart": {"type": "string"},
                "name": {"type": "string"},
                "platform": _TEXT,
                "schedule": {"type": "string"},
                "next_run": _TIME,
                "last_sync": _TIME,
                "success_rate": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                "error_count": {"type": "integer", "minimum": 0},
                "last_error": error_or_none,
                "status": _one_of(ChartStatus),
                "reason": {"type": "string"},
                "strip": {"type": "array", "items": _object(day)},
                "tasks": {"type": "array", "items": _object(task)},
                "problems": {"type": "array", "items": {"type": "string"}},
            }
        ),
    }


def _one_of(words: Any) -> dict[str, Any]:
    return {"enum": list(get_args(words))}
