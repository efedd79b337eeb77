"""Old runs are removed from Dagster's state, and what the assets are stays: Dagster itself has no end to either.

`DagsterInstance.delete_run` takes the materialisations along, and their days would be missing and requested again. So
the events that say how a partition is stay in the log of all runs, with their number, moment and versions: the newest
materialisation of each, less its pictures and previews, and the newest plan where none followed. A run goes in an order
that may end anywhere: its events, its row, its files, which whoever repeats the command finds without their run.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from sqlalchemy import func, select, text

from soundcharts_pipeline.config.cascade import all_keys
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.orchestration.dagster_internals import SqlEventLogStorage, SqliteEventLogStorage
from soundcharts_pipeline.orchestration.freshness import latest_key
from soundcharts_pipeline.orchestration.jobs import OPERATIONS
from soundcharts_pipeline.orchestration.old_events import (
    CHECKS,
    EVENT_TAGS,
    EVENTS,
    MADE,
    OBSERVED,
    PLANNED,
    is_newest,
    is_open,
    newest_of_partitions,
    newest_plain,
    parts_of,
    sized_events,
    without_pictures,
)
from soundcharts_pipeline.orchestration.old_runs import NEWEST_KEPT, Run, prunable, read_runs
from soundcharts_pipeline.orchestration.run_requests import asset_key
from soundcharts_pipeline.storage.errors import StateUnavailable

# What SQLite puts beside a file while it is open.
BESIDE = ("", "-wal", "-shm")
PROGRESS_EVERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went, or would go: runs, rows of the event log, results of checks that newer ones replaced, and bytes of
    text and files. `kept`: runs that were over before then, and stay."""

    runs: int = 0
    events: int = 0
    checks: int = 0
    size: int = 0
    kept: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(
            runs=self.runs + other.runs,
            events=self.events + other.events,
            checks=self.checks + other.checks,
            size=self.size + other.size,
            kept=self.kept + other.kept,
        )


def prune(
    instance: dg.DagsterInstance,
    settings: Settings,
    before: datetime,
    *,
    act: bool,
    newest_kept: int = NEWEST_KEPT,
    on_progress: Callable[[str], None],
) -> Pruned:
    """Remove what was over before that moment and nobody looks at; without `act` only count it. Safe while daemon and
    runs are at work, and to be interrupted anywhere. Makes no call.

    Raises StateUnavailable when the event log is not kept in an SQL database.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        raise StateUnavailable(
            f"Dagster's event log is a {type(storage).__name__}, and prune knows those in SQLite and PostgreSQL alone; "
            "nothing was changed"
        )
    runs = read_runs(instance, settings.slugs)
    old = prunable(instance, settings.slugs, runs, before, newest_kept=newest_kept)
    pruner = _Pruner(instance, storage, act=act, keys=_our_keys(settings), before=before)
    total = pruner.of_runs(old, on_progress)
    total += pruner.of_superseded({run.run_id for run in runs}) + pruner.of_checks()
    total += pruner.of_stray_files({run.run_id for run in runs})
    ended = sum(run.is_ours and run.touched_at < before for run in runs)
    return total + Pruned(kept=ended - total.runs)


def free_bytes(instance: dg.DagsterInstance) -> int:
    """Room in SQLite's file of all runs that new events fill before it grows; 0 on a server, which does so by itself.
    Giving it back takes a rewrite of the file, for which daemon and runs would have to wait."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return 0
    with storage.index_connection() as connection:
        pages, size = (connection.scalar(text(f"PRAGMA {name}")) for name in ("freelist_count", "page_size"))
    return int(pages) * int(size)


def _our_keys(settings: Settings) -> list[str]:
    """Our assets as Dagster's tables name them: there may be others on the instance."""
    keys = [asset_key(key) for key in (*all_keys(settings), *OPERATIONS)]
    return [key.to_string() for key in (*keys, *map(latest_key, settings.slugs))]


class _Pruner:
    """One pass over Dagster's state, which it changes with `act` alone."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        storage: SqlEventLogStorage,
        *,
        act: bool,
        keys: Sequence[str],
        before: datetime,
    ) -> None:
        self._instance, self._storage, self._act, self._keys = instance, storage, act, keys
        self._before = before.astimezone(UTC).replace(tzinfo=None)  # as Dagster's columns hold it
        with storage.index_connection() as connection:
            self._newest_plain = newest_plain(connection, keys)
            self._plain_of = set(keys)
            newest = select(func.max(CHECKS.c.id)).group_by(CHECKS.c.asset_key, CHECKS.c.check_name, CHECKS.c.partition)
            self._newest_checks = set(connection.scalars(newest))
            planned = select(CHECKS.c.run_id).where(CHECKS.c.id.in_(newest), CHECKS.c.execution_status == "PLANNED")
            # A check that its run never came to is shown as failed as long as the run is there.
            self._shown_by_checks = set(connection.scalars(planned))

    def of_runs(self, runs: Sequence[Run], on_progress: Callable[[str], None]) -> Pruned:
        total = Pruned()
        for number, run in enumerate(runs, 1):
            total += self._of_run(run)
            if number % PROGRESS_EVERY == 0:
                on_progress(f"{number:,} of {len(runs):,} runs")
        return total

    def _of_run(self, run: Run) -> Pruned:
        with self._storage.index_connection() as connection:
            rows = connection.execute(sized_events().where(EVENTS.c.run_id == run.run_id)).all()
            # Another project may have assets of its own below ours.
            others = {row.asset_key for row in rows if row.asset_key} - self._plain_of
            self._newest_plain |= newest_plain(connection, others)
            self._plain_of |= others
            newest = self._newest_plain | newest_of_partitions(connection, rows)
            telling = [row for row in rows if is_newest(row, newest)]
            made = [row.id for row in telling if row.type == MADE]
            plans = [row.id for row in telling if row.type == PLANNED and is_open(row, newest)]
            seen = [row.id for row in telling if row.type == OBSERVED]
            if run.status == dg.DagsterRunStatus.FAILURE and (plans or run.run_id in self._shown_by_checks):
                return Pruned()
            lighter = without_pictures(connection, made)
        kept = {*made, *plans, *seen}
        doomed = {row.id: row.size for row in rows if row.id not in kept}
        files = self._files(run.run_id)
        size = sum(doomed.values()) + sum(saved for _, saved in lighter.values()) + sum(map(_size, files))
        if self._act:
            self._lighten({number: shorter for number, (shorter, _) in lighter.items()})
            self._delete_events([*doomed])
            _remove(path for path in files if path.is_dir())
            # Whoever finds the run expects its log: Dagster fails where the file is gone. One that is left without its
            # run is found as a stray file.
            self._instance.run_storage.delete_run(run.run_id)
            _remove(files)
        return Pruned(runs=1, events=len(doomed), size=size)

    def _files(self, run_id: str) -> list[Path]:
        """The run's own files: its log on SQLite, and what its process printed."""
        files = [Path(self._instance.storage_directory()) / run_id]
        if isinstance(self._storage, SqliteEventLogStorage):
            shard = self._storage.path_for_shard(run_id)
            files += [Path(f"{shard}{end}") for end in BESIDE]
        return [path for path in files if path.exists()]

    def of_superseded(self, run_ids: Collection[str]) -> Pruned:
        """Materialisations without a run that newer ones replaced: reported by ticks or by hand, or kept when their run
        was removed."""
        total = Pruned()
        for key in self._keys:
            with self._storage.index_connection() as connection:
                of_key = select(EVENTS.c.id, EVENTS.c.partition).where(
                    EVENTS.c.asset_key == key, EVENTS.c.dagster_event_type == MADE
                )
                rows = connection.execute(of_key).all()
                newest: dict[str | None, int] = {}
                for number, partition in rows:
                    newest[partition] = max(number, newest.get(partition, 0))
                replaced = [number for number, partition in rows if number != newest[partition]]
                old = [
                    row
                    for some in parts_of(replaced)
                    for row in connection.execute(
                        sized_events().where(EVENTS.c.id.in_(some), EVENTS.c.timestamp < self._before)
                    )
                    if row.run_id not in run_ids
                ]
            if self._act:
                self._delete_events([row.id for row in old])
            total += Pruned(events=len(old), size=sum(row.size for row in old))
        return total

    def of_checks(self) -> Pruned:
        """Results of checks that newer ones replaced: Dagster keeps them for good, whatever becomes of their runs."""
        with self._storage.index_connection() as connection:
            old = connection.execute(
                select(CHECKS.c.id, func.coalesce(func.length(CHECKS.c.evaluation_event), 0)).where(
                    CHECKS.c.asset_key.in_(self._keys), CHECKS.c.create_timestamp < self._before
                )
            ).all()
        doomed = {number: size for number, size in old if number not in self._newest_checks}
        if self._act:
            for some in parts_of([*doomed]):
                with self._storage.index_transaction() as connection:
                    connection.execute(CHECKS.delete().where(CHECKS.c.id.in_(some)))
        return Pruned(checks=len(doomed), size=sum(doomed.values()))

    def of_stray_files(self, run_ids: Collection[str]) -> Pruned:
        """Logs of runs that are gone: those that SQLite's storage makes, empty, for whoever asks, and those of a run at
        which the command was ended."""
        if not isinstance(self._storage, SqliteEventLogStorage):
            return Pruned()
        moment = self._before.replace(tzinfo=UTC).timestamp()
        known = {*run_ids, "index", ""}
        stray = [
            Path(self._storage.path_for_shard(run_id))
            for run_id in self._storage.get_all_run_ids()
            if run_id not in known
        ]
        files = [
            Path(f"{path}{end}")
            for path in stray
            if path.stat().st_mtime < moment
            for end in BESIDE
            if Path(f"{path}{end}").exists()
        ]
        size = sum(map(_size, files))
        if self._act:
            _remove(files)
        return Pruned(size=size)

    def _lighten(self, texts: Mapping[int, str]) -> None:
        with self._storage.index_transaction() as connection:
            for number, shorter in texts.items():
                connection.execute(EVENTS.update().where(EVENTS.c.id == number).values(event=shorter))

    def _delete_events(self, numbers: Sequence[int]) -> None:
        for some in parts_of(numbers):
            with self._storage.index_transaction() as connection:
                connection.execute(EVENT_TAGS.delete().where(EVENT_TAGS.c.event_id.in_(some)))
                connection.execute(EVENTS.delete().where(EVENTS.c.id.in_(some)))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
