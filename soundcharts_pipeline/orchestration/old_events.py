"""Which events say how the assets are, in the log of all runs, and what of them is only to be looked at."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import dagster as dg
from sqlalchemy import Connection, Select, func, select

from soundcharts_pipeline.orchestration.assets.pictures import SHOWS
from soundcharts_pipeline.orchestration.dagster_internals import (
    SqlEventLogStorageMetadata,
    deserialize_value,
    serialize_value,
)

_TABLES = SqlEventLogStorageMetadata.tables
EVENTS, EVENT_TAGS, CHECKS = (_TABLES[name] for name in ("event_logs", "asset_event_tags", "asset_check_executions"))
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION.value
PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value
OBSERVED = dg.DagsterEventType.ASSET_OBSERVATION.value
KINDS = [MADE, PLANNED, OBSERVED]
# SQLite takes at most 32,766 values in a statement; and so few rows are written in a moment.
AT_ONCE = 5000

T = TypeVar("T")
# The number of the newest event of an asset, kind and partition.
Newest = dict[tuple[str, str, str | None], int]


def sized_events() -> Select[Any]:
    """Events with what decides over them, and the length of their text."""
    return select(
        EVENTS.c.id,
        EVENTS.c.run_id,
        EVENTS.c.dagster_event_type.label("type"),
        EVENTS.c.asset_key,
        EVENTS.c.partition,
        func.length(EVENTS.c.event).label("size"),
    )


def newest_plain(connection: Connection, keys: Iterable[str]) -> Newest:
    """Of the events without a partition: assets that have none, and ranges that were planned as one event."""
    newest: Newest = {}
    for key in keys:
        for kind in KINDS:
            of_kind = select(func.max(EVENTS.c.id)).where(
                EVENTS.c.asset_key == key, EVENTS.c.dagster_event_type == kind, EVENTS.c.partition.is_(None)
            )
            if number := connection.scalar(of_kind):
                newest[key, kind, None] = number
    return newest


def newest_of_partitions(connection: Connection, events: Sequence[Any]) -> Newest:
    """Of the assets and partitions of some events (rows of `sized_events`)."""
    of_assets = [event for event in events if event.type in KINDS]
    keys = {event.asset_key for event in of_assets}
    partitions = sorted({event.partition for event in of_assets if event.partition is not None})
    group = (EVENTS.c.asset_key, EVENTS.c.dagster_event_type, EVENTS.c.partition)
    newest: Newest = {}
    for some in parts_of(partitions):
        found = select(*group, func.max(EVENTS.c.id)).where(
            EVENTS.c.asset_key.in_(keys), EVENTS.c.dagster_event_type.in_(KINDS), EVENTS.c.partition.in_(some)
        )
        for key, kind, partition, number in connection.execute(found.group_by(*group)):
            newest[key, kind, partition] = number
    return newest


def is_newest(event: Any, newest: Newest) -> bool:
    return bool(newest.get((event.asset_key, event.type, event.partition)) == event.id)


def is_open(plan: Any, newest: Newest) -> bool:
    """Whether no materialisation followed the plan."""
    return bool(newest.get((plan.asset_key, MADE, plan.partition), 0) < plan.id)


def without_pictures(connection: Connection, numbers: Sequence[int]) -> dict[int, tuple[str, int]]:
    """The text of materialisations less what is only to be looked at, and how much shorter it is, of those that have
    any of it. What pictures showed goes with them: a later run would else look for the pictures."""
    lighter = {}
    for some in parts_of(numbers):
        for number, text in connection.execute(select(EVENTS.c.id, EVENTS.c.event).where(EVENTS.c.id.in_(some))):
            entry = deserialize_value(text, dg.EventLogEntry)
            event = entry.get_dagster_event()
            data = event.step_materialization_data
            told = data.materialization.metadata
            left = {n: v for n, v in told.items() if n != SHOWS and not isinstance(v, dg.MarkdownMetadataValue)}
            if len(left) < len(told):
                data = data._replace(materialization=data.materialization.with_metadata(left))
                shorter = serialize_value(entry._replace(dagster_event=event._replace(event_specific_data=data)))
                lighter[number] = shorter, len(text) - len(shorter)
    return lighter


def parts_of(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as a statement takes."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
