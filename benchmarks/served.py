"""A `soundcharts-pipeline serve` over a new project that was filled beforehand, on SQLite or on a PostgreSQL server."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._serdes import serialize_value
from sqlalchemy import create_engine, text

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.dead_runs import process_tags
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import partition_key, range_tags
from soundcharts_pipeline.orchestration.run_requests import CHART_TAG, TRIGGER_TAG
from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.dagster_site import PROJECT
from soundcharts_pipeline_tests.support.postgres import url_of

TOKEN = "of-the-benchmark"  # noqa: S105
ACTIVE_RUN = "00000000-0000-4000-8000-000000000000"
# Nothing begins by itself.
CHARTS = """\
defaults:
  first_date: {first}
  active: false
  auto_trigger_cascade: false
  heal_days: 0
charts:
{slugs}"""
ROWS_AT_ONCE = 50_000
DAYS_OF_SERIES = 100
# The rankings of the first chart.
PLACES, TRACKS = 200, 400
# The asset whose every chart-day is materialized.
RANKINGS = "chart_rankings"
ANOTHER_DAY = """
INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
SELECT run_id, replace(event, :key, k), dagster_event_type, timestamp, step_key, asset_key, k
FROM event_logs, unnest(:keys) k WHERE partition = :key AND id = :id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What the project holds: charts, ended runs, audience points, days of each chart, of which the first alone has
    its rankings; `is_active`: one more run, of the first chart, is at work."""

    charts: int
    runs: int
    points: int
    days: int = 30
    is_active: bool = False

    def slug(self, number: int) -> str:
        return f"chart-{number % self.charts}"

    @property
    def slugs(self) -> list[str]:
        return [self.slug(number) for number in range(self.charts)]

    def history(self) -> list[date]:
        """The days of every chart, newest first."""
        return [_today() - timedelta(days=ago) for ago in range(1, self.days + 1)]


@dataclass(frozen=True, slots=True)
class Served:
    """Where it is; `api` is the process of the dashboard and the internal API."""

    port: int
    ui_port: int
    api: int
    database_url: str

    def advance(self, done: int) -> None:
        """The active run has come so far, of a million entities."""
        with closing(Warehouse(self.database_url)) as warehouse, warehouse.write() as conn:
            conn.execute(b.sync_progress.delete().where(b.sync_progress.c.run_id == ACTIVE_RUN))
            row = {"run_id": ACTIVE_RUN, "step": RANKINGS, "done": done, "total": 1_000_000, "calls": done}
            conn.execute(b.sync_progress.insert(), [row | {"updated_at": datetime.now(UTC)}])


@contextmanager
def serving(filling: Filling, server: Path | None = None) -> Iterator[Served]:
    """`serve` once it is healthy. `server`: the socket folder of a PostgreSQL server, for both databases."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environ = _set_up(folder, filling, server)
        url = environ["SOUNDCHARTS_DATABASE_URL"]
        began = time.perf_counter()
        os.environ.update({k: v for k, v in environ.items() if k == "DAGSTER_POSTGRES_URL"})
        with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
            fill_runs(instance, filling)
            if server is not None:
                _fill_materializations(instance, filling)
        _fill_warehouse(url, filling)
        filled = time.perf_counter()
        ports = free_port(), free_port()
        command = ["-m", "soundcharts_pipeline", "serve", "--port", str(ports[0]), "--ui-port", str(ports[1])]
        with (folder / "serve.log").open("w") as log:
            served = subprocess.Popen([sys.executable, *command], env=environ, stdout=log, stderr=log)  # noqa: S603
        try:
            asyncio.run(_until_healthy(ports[0], served))
            print(  # noqa: T201
                f"{'SQLite' if server is None else 'PostgreSQL'}: {filling}: {filled - began:.0f} s to fill, "
                f"healthy after {time.perf_counter() - filled:.0f} s"
            )
            yield Served(*ports, _api_of(served.pid), url)
        finally:
            served.send_signal(signal.SIGINT)
            served.wait()


def _set_up(folder: Path, filling: Filling, server: Path | None) -> Mapping[str, str]:
    home, charts = folder / "dagster", folder / "charts.yaml"
    home.mkdir()
    shutil.copy(PROJECT / "deploy" / "postgres" / "dagster.yaml" if server else PROJECT / "dagster.yaml", home)
    first = min([_today() - timedelta(days=60), *filling.history()])
    slugs = "".join(f"  - slug: {slug}\n" for slug in filling.slugs)
    charts.write_text(CHARTS.format(first=first, slugs=slugs))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOUNDCHARTS_", "DAGSTER_"))}
    urls = {"SOUNDCHARTS_DATABASE_URL": f"sqlite:///{folder}/soundcharts.db"}
    return {
        **kept,
        "DAGSTER_HOME": str(home),
        "SOUNDCHARTS_DATA_DIR": str(folder / "data"),
        "SOUNDCHARTS_CHARTS": str(charts),
        "SOUNDCHARTS_ADMIN_TOKEN": TOKEN,
        **(urls if server is None else new_databases(server)),
    }


def new_databases(server: Path) -> Mapping[str, str]:
    """A new one for the data and one for Dagster's state."""
    names = [f"{kind}_{uuid.uuid4().hex[:8]}" for kind in ("soundcharts", "dagster")]
    engine = create_engine(url_of(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))
        connection.execute(text(f"ALTER DATABASE {names[1]} SET timezone = 'UTC'"))
    engine.dispose()
    urls = [url_of(server, name).render_as_string() for name in names]
    return {"SOUNDCHARTS_DATABASE_URL": urls[0], "DAGSTER_POSTGRES_URL": urls[1]}


def fill_runs(instance: dg.DagsterInstance, filling: Filling) -> None:
    """Ended runs, one in ten failed, and the one that is at work."""
    now = datetime.now(UTC)
    runs: list[dict[str, object]] = []
    tags: list[dict[str, object]] = []

    def add(run_id: str, slug: str, day: date, at: datetime, status: dg.DagsterRunStatus, **more: str) -> None:
        of_run = {**range_tags(ChartDays(slug, day, day)), CHART_TAG: slug, TRIGGER_TAG: "schedule", **more}
        run = dg.DagsterRun(job_name=FULL_SYNC, run_id=run_id, status=status, tags=of_run)
        naive = at.replace(tzinfo=None)
        runs.append(
            {
                "run_id": run_id,
                "pipeline_name": FULL_SYNC,
                "status": status.value,
                "run_body": serialize_value(run),
                "create_timestamp": naive,
                "update_timestamp": naive,
                "start_time": at.timestamp(),
                "end_time": None if status == dg.DagsterRunStatus.STARTED else at.timestamp() + 60,
            }
        )
        tags.extend({"run_id": run_id, "key": key, "value": value} for key, value in of_run.items())

    for number in range(filling.runs):
        day = _today() - timedelta(days=number // filling.charts % 30 + 1)
        at = now - timedelta(minutes=10 * (filling.runs - number))
        status = dg.DagsterRunStatus.FAILURE if number % 10 == 0 else dg.DagsterRunStatus.SUCCESS
        add(str(uuid.uuid4()), filling.slug(number), day, at, status)
    if filling.is_active:
        add(ACTIVE_RUN, filling.slug(0), _today(), now, dg.DagsterRunStatus.STARTED, **process_tags())
    with instance.run_storage.connect() as conn:  # type: ignore[attr-defined]
        conn.execute(RunsTable.insert(), runs)
        conn.execute(RunTagsTable.insert(), tags)


def _fill_materializations(instance: dg.DagsterInstance, filling: Filling) -> None:
    """Every chart-day of the ranking's asset: one is reported, the others are its copies."""
    keys = [partition_key(slug, day) for slug in filling.slugs for day in filling.history()]
    instance.report_runless_asset_event(dg.AssetMaterialization(RANKINGS, partition=keys[0]))
    with instance.event_log_storage._connect() as conn:  # type: ignore[attr-defined]
        first = conn.scalar(text("SELECT max(id) FROM event_logs"))
        for start in range(1, len(keys), ROWS_AT_ONCE):
            conn.execute(text(ANOTHER_DAY), {"key": keys[0], "keys": keys[start : start + ROWS_AT_ONCE], "id": first})


def _fill_warehouse(url: str, filling: Filling) -> None:
    """Every day of every chart as saved, the rankings of the first chart, and the audience points."""
    now = datetime.now(UTC)
    with closing(Warehouse(url)) as warehouse:
        for slug in filling.slugs:
            of_chart = {"chart_slug": slug, "checked_at": now, "saved_at": now}
            with warehouse.write() as conn:
                dated = [(day, str(day)) for day in filling.history()]
                days = [of_chart | {"rank_date": day, "published_at": at, "saved_version": at} for day, at in dated]
                conn.execute(s.ranking_days.insert(), days)
        with warehouse.write() as conn:
            tracks = [_track(number) for number in range(TRACKS)]
            facts = {"first_seen_at": now, "artists_extracted": True, "genres_extracted": True}
            conn.execute(s.tracks.insert(), [{"uuid": track, "name": track, **facts} for track in tracks])
            for place, day in enumerate(filling.history()):
                of_day = {"chart_slug": filling.slug(0), "rank_date": day, "fetched_at": now}
                rows = [
                    {"position": n + 1, "track_uuid": tracks[(n + place) % TRACKS], "old_position": n + 2}
                    for n in range(PLACES)
                ]
                conn.execute(s.chart_rankings.insert(), [of_day | row for row in rows])
        for start in range(0, filling.points, ROWS_AT_ONCE):
            with warehouse.write() as conn:
                points = [_point(n, now) for n in range(start, min(start + ROWS_AT_ONCE, filling.points))]
                merge_audience(conn, s.track_audience, points)


def _point(number: int, now: datetime) -> tuple[object, ...]:
    track, ago = divmod(number, DAYS_OF_SERIES)
    return _track(track), "spotify", "streams", "", _today() - timedelta(days=ago), number, now


def _track(number: int) -> str:
    return f"track-{number:06}"


def _today() -> date:
    return datetime.now(UTC).date()


def free_port() -> int:
    """A port of this host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _until_healthy(port: int, served: "subprocess.Popen[bytes]") -> None:
    while served.poll() is None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /admin/soundcharts/health/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read(-1)
            writer.close()
        except OSError:
            answer = b""
        if answer.startswith(b"HTTP/1.1 200"):
            return
        await asyncio.sleep(0.5)
    raise SystemExit("serve ended by itself")


def _api_of(supervisor: int) -> int:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    [pid] = [int(pid) for pid in children if b"--alone" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid
