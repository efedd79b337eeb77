"""The internal API as an OpenAPI 3.1 document."""

from collections.abc import Sequence
from typing import Any

from soundcharts_pipeline import __doc__ as about
from soundcharts_pipeline.admin.internal_api.answers import schemas

_BEARER = [{"bearer": list[str]()}]


def document(slugs: Sequence[str], root_path: str = "") -> dict[str, Any]:
    """The document; `slugs` are the charts that the parameter may name, `root_path` is what comes before the paths."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "soundcharts_pipeline, internal API", "version": "1", "description": (about or "").strip()},
        "servers": [{"url": root_path or "/"}],
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
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
            **_refusals("400", "401", "403", "404", "413", "429", "503"),
        },
    }


def _status(slugs: Sequence[str]) -> dict[str, Any]:
    return {
        "summary": "How a chart is doing, with its tasks",
        "security": _BEARER,
        "parameters": [_slug(slugs)],
        "responses": {"200": {"description": "its status", **_content("Status")}, **_refusals("401", "404", "429")},
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
            **_refusals("401", "429"),
        },
    }


def _openapi() -> dict[str, Any]:
    return {
        "summary": "This document",
        "security": _BEARER,
        "responses": {
            "200": {"description": "it", "content": {"application/json": {"schema": {"type": "object"}}}},
            **_refusals("401", "429"),
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
        "403": "the token looks and changes nothing",
        "404": "no such chart in charts.yaml",
        "413": "the body is too long",
        "429": "too many in a minute, triggers or wrong tokens; Retry-After says when to come back",
        "503": "Dagster or the database cannot be reached",
    }
    return {status: {"description": said[status], **_content("Refusal")} for status in statuses}


def _content(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
