"""Metadata of the tracks of a ranking, and of their artists: ten to a call."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from soundcharts_pipeline.api.client import BATCH_SIZE
from soundcharts_pipeline.api.errors import NotFound, NotInPlan, SoundchartsError
from soundcharts_pipeline.models import Artist, Track
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.saves import bury, save_artists, save_tracks
from soundcharts_pipeline.storage.worklists import CLOSED, GONE, METADATA, ChartDays
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.fanout import Answer, fan_out, still_to_do
from soundcharts_pipeline.sync.report import SyncReport

RecordT = TypeVar("RecordT", Track, Artist)
Batch = tuple[str, ...]
Records = Mapping[str, RecordT | SoundchartsError]


def sync_track_metadata(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    """Metadata of every track ranked on the days, with the artists and genres that the chart's settings extract.

    Costs one call per ten tracks without metadata younger than `metadata_refresh_days`.
    """

    def save(conn: Connection, found: list[Track]) -> None:
        artists, genres = chart.auto_extract_artists, chart.auto_extract_genres
        save_tracks(conn, found, artists=artists, genres=genres, now=ctx.clock())

    return _sync_batches(ctx, "track", due_tracks(ctx, chart, days), ctx.client.tracks, save)


def sync_artist_metadata(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    """Metadata of every artist of the tracks ranked on the days. Costs as for tracks."""

    def save(conn: Connection, found: list[Artist]) -> None:
        save_artists(conn, found, genres=chart.auto_extract_genres, now=ctx.clock())

    return _sync_batches(ctx, "artist", due_artists(ctx, chart, days), ctx.client.artists, save)


def due_tracks(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[str]:
    """UUIDs that `sync_track_metadata` would ask for now."""
    with ctx.warehouse.read() as conn:
        return worklists.tracks_due(
            conn,
            ChartDays(chart.slug, days[0], days[-1]),
            stale_before=_stale_before(ctx, chart),
            artists=chart.auto_extract_artists,
            genres=chart.auto_extract_genres,
        )


def due_artists(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[str]:
    """UUIDs that `sync_artist_metadata` would ask for now."""
    with ctx.warehouse.read() as conn:
        span = ChartDays(chart.slug, days[0], days[-1])
        return worklists.artists_due(conn, span, stale_before=_stale_before(ctx, chart))


def _stale_before(ctx: SyncContext, chart: ChartSettings) -> datetime:
    return ctx.clock() - timedelta(days=chart.metadata_refresh_days)


def _sync_batches(
    ctx: SyncContext,
    entity: str,
    due: Sequence[str],
    fetch: Callable[[Batch], Records[RecordT]],
    save: Callable[[Connection, list[RecordT]], None],
) -> SyncReport:
    gone = closed = 0
    failed: list[SoundchartsError] = []

    def save_answers(conn: Connection, answers: list[Answer[Batch, Records[RecordT]]]) -> int:
        nonlocal gone, closed
        found: list[RecordT] = []
        refused: dict[str, str] = {}
        for _, records in answers:
            if isinstance(records, SoundchartsError):
                continue  # fetch answers per entity: a whole batch is never NotFound
            for uuid, record in records.items():
                if isinstance(record, NotFound | NotInPlan):
                    refused[uuid] = GONE if isinstance(record, NotFound) else CLOSED
                elif isinstance(record, SoundchartsError):
                    failed.append(record)
                else:
                    found.append(record)
        save(conn, found)
        bury(conn, entity, METADATA, refused, ctx.clock())
        gone += sum(reason == GONE for reason in refused.values())
        closed += sum(reason == CLOSED for reason in refused.values())
        return len(found)

    batches = [tuple(due[i : i + BATCH_SIZE]) for i in range(0, len(due), BATCH_SIZE)]
    report = fan_out(ctx, f"batches of {entity} metadata", batches, fetch, save_answers)
    report.not_found, report.not_in_plan = gone, closed
    if failed:
        report.asked, report.remaining = len(due), len(failed)
        raise still_to_do(f"{entity}s", failed[0], report)
    return report
