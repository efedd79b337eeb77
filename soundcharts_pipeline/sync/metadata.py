"""Metadata of the tracks of a ranking, and of their artists: ten to a call."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Generic, TypeVar

from sqlalchemy import Connection

from soundcharts_pipeline.api.client import BATCH_SIZE
from soundcharts_pipeline.api.errors import NotFound, NotInPlan, SoundchartsError, UnreadableRecord
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import Artist, ChartDays, Track
from soundcharts_pipeline.storage.controls import with_metadata
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.queries.worklists import CLOSED, GONE, METADATA, UNPROVEN, Among
from soundcharts_pipeline.storage.saves import add_tombstones, remove_tombstones, save_artists, save_tracks
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.evidence import REFUSALS, Says, Unproven
from soundcharts_pipeline.sync.fanout import fan_out
from soundcharts_pipeline.sync.report import SyncReport, still_to_do
from soundcharts_pipeline.sync.scopes import Asked
from soundcharts_pipeline.sync.worklist import Answer, Worklist

RecordT = TypeVar("RecordT", Track, Artist)
Batch = tuple[str, ...]
Records = Mapping[str, RecordT | SoundchartsError]


def sync_track_metadata(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    """Metadata of every track ranked on the days, with the artists and genres that the chart's settings extract.

    Costs one call per ten tracks without metadata younger than `metadata_refresh_days`. Raises SyncIncomplete when some
    are not answered, after saving the others.
    """
    return _TrackBatches(ctx, chart, days).sync()


def sync_artist_metadata(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> SyncReport:
    """Metadata of every artist of the tracks ranked on the days. Costs and raises as for tracks."""
    return _ArtistBatches(ctx, chart, days).sync()


def due_tracks(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[str]:
    """UUIDs that `sync_track_metadata` would ask for now."""
    with ctx.warehouse.read() as conn:
        return _TrackBatches(ctx, chart, days).due(conn)


def due_artists(ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> list[str]:
    """UUIDs that `sync_artist_metadata` would ask for now."""
    with ctx.warehouse.read() as conn:
        return _ArtistBatches(ctx, chart, days).due(conn)


class _Batches(Worklist[Batch, Records[RecordT]]):
    """The metadata of one kind of entity, ten to a call; a subclass knows tracks, another one artists."""

    entity: str

    def __init__(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date]) -> None:
        self._ctx, self._chart = ctx, chart
        self._span = ChartDays(chart.slug, days[0], days[-1])
        self._stale_before = ctx.believed_since(chart)
        self._ranked_on: Mapping[str, Sequence[date]] = {}
        self._answers: _Answers[RecordT] = _Answers()
        self.noun = f"batches of {self.entity} metadata"
        self.asked = Asked(
            scope_of=lambda _: f"{self.entity}/{METADATA}",
            uuid_of=lambda batch: batch[0],
            says=_says,
            controls=lambda conn, _: [(uuid,) for uuid in with_metadata(conn, self.entity, most=2)],
            # A refused batch is asked for one by one: eleven calls.
            at_first=1,
        )

    @abstractmethod
    def save_records(self, conn: Connection, found: list[RecordT]) -> None:
        """Save what was found, in the caller's transaction."""

    @abstractmethod
    def due_among(self, conn: Connection, among: Among) -> list[str]:
        """Those of the entities that are still to be asked for."""

    @abstractmethod
    def ranked(self, conn: Connection) -> Iterable[tuple[str, date]]:
        """Entities of the chart, and days on which they are ranked."""

    def due(self, conn: Connection) -> list[str]:
        """Entities of the chart's days that are to be asked for."""
        return self.due_among(conn, worklists.entities(self._span, self.entity))

    def sync(self) -> SyncReport:
        with self._ctx.warehouse.read() as conn:
            due = self.due(conn)
            self._ranked_on = _days_of(self.ranked(conn)) if due else {}
        report, answers = fan_out(self._ctx, _batches(due), self), self._answers
        report.not_found, report.not_in_plan = answers.gone, answers.closed
        if answers.failed:
            report.asked, report.remaining = len(due), len(answers.failed)
            raise still_to_do(f"{self.entity}s", next(iter(answers.failed.values())), report)
        return report

    def save(self, conn: Connection, answers: list[Answer[Batch, Records[RecordT]]]) -> int:
        found, refused = self._answers.sorted_out(answers)
        self.save_records(conn, found)
        remove_tombstones(conn, self.entity, METADATA, [record.uuid for record in found])
        add_tombstones(conn, self.entity, METADATA, refused, self._ctx.clock())
        return len(found)

    def subjects(self, batch: Batch) -> list[str]:
        return [f"{self.entity}/{uuid}/{METADATA}" for uuid in batch]

    def still_due(self, conn: Connection, batches: Sequence[Batch]) -> list[Batch]:
        return _batches(self.due_among(conn, [uuid for batch in batches for uuid in batch]))

    def days(self, batch: Batch) -> set[date]:
        return {day for uuid in batch for day in self._ranked_on[uuid]}

    def also_left(self) -> set[date]:
        return self.days(tuple(self._answers.failed))


class _TrackBatches(_Batches[Track]):
    entity = "track"

    def fetch(self, batch: Batch) -> Records[Track]:
        return self._ctx.client.tracks(batch)

    def save_records(self, conn: Connection, found: list[Track]) -> None:
        artists, genres = self._chart.auto_extract_artists, self._chart.auto_extract_genres
        save_tracks(conn, found, artists=artists, genres=genres, now=self._ctx.clock())

    def due_among(self, conn: Connection, among: Among) -> list[str]:
        return worklists.tracks_due(
            conn,
            among,
            stale_before=self._stale_before,
            now=self._ctx.clock(),
            artists=self._chart.auto_extract_artists,
            genres=self._chart.auto_extract_genres,
            known_since=self._ctx.known_since,
        )

    def ranked(self, conn: Connection) -> Iterable[tuple[str, date]]:
        return worklists.ranked_tracks(conn, self._span, gone_after=self._stale_before)


class _ArtistBatches(_Batches[Artist]):
    entity = "artist"

    def fetch(self, batch: Batch) -> Records[Artist]:
        return self._ctx.client.artists(batch)

    def save_records(self, conn: Connection, found: list[Artist]) -> None:
        save_artists(conn, found, genres=self._chart.auto_extract_genres, now=self._ctx.clock())

    def due_among(self, conn: Connection, among: Among) -> list[str]:
        now, known_since = self._ctx.clock(), self._ctx.known_since
        return worklists.artists_due(conn, among, stale_before=self._stale_before, now=now, known_since=known_since)

    def ranked(self, conn: Connection) -> Iterable[tuple[str, date]]:
        return worklists.ranked_artists(conn, self._span, gone_after=self._stale_before)


class _Answers(Generic[RecordT]):
    """What came of the entities of all batches."""

    def __init__(self) -> None:
        self.gone = self.closed = 0
        self.failed: dict[str, SoundchartsError] = {}

    def sorted_out(self, answers: Iterable[Answer[Batch, Records[RecordT]]]) -> tuple[list[RecordT], dict[str, str]]:
        """Records to save, and why others will not be there, by UUID."""
        found: list[RecordT] = []
        refused: dict[str, str] = {}
        for _, given in answers:
            records = given.answer if isinstance(given, Unproven) else given
            if isinstance(records, SoundchartsError):
                continue  # fetch answers per entity: a whole batch is never NotFound
            for uuid, record in records.items():
                if isinstance(record, NotFound | NotInPlan):
                    reason = GONE if isinstance(record, NotFound) else CLOSED
                    self.gone += reason == GONE
                    self.closed += reason == CLOSED
                    refused[uuid] = UNPROVEN if isinstance(given, Unproven) else reason
                elif isinstance(record, UnreadableRecord):
                    # It is the same for as long as nobody mends it; what is below goes on without it.
                    refused[uuid] = UNPROVEN
                elif isinstance(record, SoundchartsError):
                    self.failed[uuid] = record
                else:
                    found.append(record)
        return found, refused


def _says(records: Records[RecordT]) -> tuple[Says, SoundchartsError | None, int]:
    errors = [record for record in records.values() if isinstance(record, SoundchartsError)]
    if len(errors) < len(records) or any(isinstance(error, UnreadableRecord) for error in errors):
        return Says.SOMETHING, None, len(records) - len(errors) or 1
    if all(isinstance(error, REFUSALS) for error in errors):
        return Says.REFUSED, errors[-1], len(errors)
    return Says.UNKNOWN, None, 1


def _batches(uuids: Sequence[str]) -> list[Batch]:
    return [tuple(uuids[i : i + BATCH_SIZE]) for i in range(0, len(uuids), BATCH_SIZE)]


def _days_of(ranked: Iterable[tuple[str, date]]) -> Mapping[str, Sequence[date]]:
    days: dict[str, list[date]] = defaultdict(list)
    for uuid, day in ranked:
        days[uuid].append(day)
    return days
