"""Metadata of the tracks of a ranking, and of their artists: ten to a call."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import Connection

from soundcharts_pipeline.api.client import BATCH_SIZE
from soundcharts_pipeline.api.errors import NotFound, NotInPlan, SoundchartsError
from soundcharts_pipeline.models import Artist, Track
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.saves import bury, save_artists, save_tracks
from soundcharts_pipeline.storage.worklists import CLOSED, GONE, METADATA, Among, ChartDays
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.fanout import Answer, Task, fan_out, still_to_do
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

    def due(conn: Connection, among: Among) -> list[str]:
        return _tracks_due(ctx, chart, conn, among)

    return _Batches(ctx, "track", ctx.client.tracks, save, due).sync(_span(chart, days))


def sync_artist_metadata(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    """Metadata of every artist of the tracks ranked on the days. Costs as for tracks."""

    def save(conn: Connection, found: list[Artist]) -> None:
        save_artists(conn, found, genres=chart.auto_extract_genres, now=ctx.clock())

    def due(conn: Connection, among: Among) -> list[str]:
        return _artists_due(ctx, chart, conn, among)

    return _Batches(ctx, "artist", ctx.client.artists, save, due).sync(_span(chart, days))


def due_tracks(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[str]:
    """UUIDs that `sync_track_metadata` would ask for now."""
    with ctx.warehouse.read() as conn:
        return _tracks_due(ctx, chart, conn, worklists.entities(_span(chart, days), "track"))


def due_artists(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[str]:
    """UUIDs that `sync_artist_metadata` would ask for now."""
    with ctx.warehouse.read() as conn:
        return _artists_due(ctx, chart, conn, worklists.entities(_span(chart, days), "artist"))


def _tracks_due(ctx: SyncContext, chart: ChartSettings, conn: Connection, among: Among) -> list[str]:
    return worklists.tracks_due(
        conn,
        among,
        stale_before=_stale_before(ctx, chart),
        artists=chart.auto_extract_artists,
        genres=chart.auto_extract_genres,
    )


def _artists_due(ctx: SyncContext, chart: ChartSettings, conn: Connection, among: Among) -> list[str]:
    return worklists.artists_due(conn, among, stale_before=_stale_before(ctx, chart))


def _span(chart: ChartSettings, days: Sequence[date]) -> ChartDays:
    return ChartDays(chart.slug, days[0], days[-1])


def _stale_before(ctx: SyncContext, chart: ChartSettings) -> datetime:
    return ctx.clock() - timedelta(days=chart.metadata_refresh_days)


@dataclass(frozen=True, slots=True)
class _Batches(Generic[RecordT]):
    """The metadata of one kind of entity: `due` says of some entities which are still to be asked for."""

    ctx: SyncContext
    entity: str
    fetch: Callable[[Batch], Records[RecordT]]
    save: Callable[[Connection, list[RecordT]], None]
    due: Callable[[Connection, Among], list[str]]

    def sync(self, span: ChartDays) -> SyncReport:
        with self.ctx.warehouse.read() as conn:
            due = self.due(conn, worklists.entities(span, self.entity))
            days = self._days(conn, span) if due else {}
        answers = _Answers[RecordT]()

        def save(conn: Connection, new: list[Answer[Batch, Records[RecordT]]]) -> int:
            found, refused = answers.sorted_out(new)
            self.save(conn, found)
            bury(conn, self.entity, METADATA, refused, self.ctx.clock())
            return len(found)

        task = Task(
            noun=f"batches of {self.entity} metadata",
            fetch=self.fetch,
            save=save,
            subjects=lambda batch: [f"{self.entity}/{uuid}/{METADATA}" for uuid in batch],
            still_due=lambda conn, batches: _batches(self.due(conn, [uuid for batch in batches for uuid in batch])),
            days=lambda batch: {day for uuid in batch for day in days[uuid]},
            also_left=lambda: {day for uuid in answers.failed for day in days[uuid]},
        )
        report = fan_out(self.ctx, _batches(due), task)
        report.not_found, report.not_in_plan = answers.gone, answers.closed
        if answers.failed:
            report.asked, report.remaining = len(due), len(answers.failed)
            raise still_to_do(f"{self.entity}s", next(iter(answers.failed.values())), report)
        return report

    def _days(self, conn: Connection, span: ChartDays) -> Mapping[str, Sequence[date]]:
        ranked = worklists.ranked_tracks if self.entity == "track" else worklists.ranked_artists
        days: dict[str, list[date]] = defaultdict(list)
        for uuid, day in ranked(conn, span):
            days[uuid].append(day)
        return days


class _Answers(Generic[RecordT]):
    """What came of the entities of all batches."""

    def __init__(self) -> None:
        self.gone = self.closed = 0
        self.failed: dict[str, SoundchartsError] = {}

    def sorted_out(self, answers: Iterable[Answer[Batch, Records[RecordT]]]) -> tuple[list[RecordT], dict[str, str]]:
        """Records to save, and why others will not be there, by UUID."""
        found: list[RecordT] = []
        refused: dict[str, str] = {}
        for _, records in answers:
            if isinstance(records, SoundchartsError):
                continue  # fetch answers per entity: a whole batch is never NotFound
            for uuid, record in records.items():
                if isinstance(record, NotFound | NotInPlan):
                    refused[uuid] = GONE if isinstance(record, NotFound) else CLOSED
                elif isinstance(record, SoundchartsError):
                    self.failed[uuid] = record
                else:
                    found.append(record)
        self.gone += sum(reason == GONE for reason in refused.values())
        self.closed += sum(reason == CLOSED for reason in refused.values())
        return found, refused


def _batches(uuids: Sequence[str]) -> list[Batch]:
    return [tuple(uuids[i : i + BATCH_SIZE]) for i in range(0, len(uuids), BATCH_SIZE)]
