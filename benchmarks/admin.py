"""The internal API under load: bursts of requests beside a large warehouse and many runs.

`python -m benchmarks.admin`: fills a new folder (5,000 runs in Dagster's instance, 1,000,000 audience points), starts
`soundcharts-pipeline serve` on it, and prints status codes and latencies of 300 requests in parallel, status and
trigger mixed. Latency is measured from the moment all requests of a burst are let go, so it holds the wait for the
server's one thread. Open dashboards are measured by `benchmarks.dashboards`.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._serdes import serialize_value

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import range_tags
from soundcharts_pipeline.orchestration.run_requests import CHART_TAG, TRIGGER_TAG
from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

CHARTS = 20
TOKEN = "of-the-benchmark"  # noqa: S105
POINTS_AT_ONCE = 50_000
DAYS_OF_SERIES = 100
Answer = tuple[str, int, float]


def chart(number: int, charts: int = CHARTS) -> str:
    """The slug of one of so many charts."""
    return f"chart-{number % charts}"


def fill_runs(home: Path, count: int, charts: int = CHARTS) -> None:
    """So many ended runs, one in ten failed."""
    now = datetime.now(UTC)
    runs, tags = [], []
    for number in range(count):
        slug = chart(number, charts)
        day = now.date() - timedelta(days=number // charts % 30 + 1)
        at = now - timedelta(minutes=10 * (count - number))
        status = dg.DagsterRunStatus.FAILURE if number % 10 == 0 else dg.DagsterRunStatus.SUCCESS
        of_run = {**range_tags(ChartDays(slug, day, day)), CHART_TAG: slug, TRIGGER_TAG: "schedule"}
        run = dg.DagsterRun(job_name=FULL_SYNC, run_id=str(uuid.uuid4()), status=status, tags=of_run)
        naive = at.replace(tzinfo=None)
        runs.append(
            {
                "run_id": run.run_id,
                "pipeline_name": FULL_SYNC,
                "status": status.value,
                "run_body": serialize_value(run),
                "create_timestamp": naive,
                "update_timestamp": naive,
                "start_time": at.timestamp(),
                "end_time": at.timestamp() + 60,
            }
        )
        tags += [{"run_id": run.run_id, "key": key, "value": value} for key, value in of_run.items()]
    with dg.DagsterInstance.from_config(str(home)) as instance, instance.run_storage.connect() as conn:  # type: ignore[attr-defined]
        conn.execute(RunsTable.insert(), runs)
        conn.execute(RunTagsTable.insert(), tags)


def fill_points(url: str, count: int, charts: int = CHARTS) -> None:
    """So many audience points, and a ranking day for each chart and day of the last month."""
    now, today = datetime.now(UTC), datetime.now(UTC).date()
    with closing(Warehouse(url)) as warehouse:
        with warehouse.write() as conn:
            days = [today - timedelta(days=ago) for ago in range(1, 31)]
            known = [
                {
                    "chart_slug": chart(n, charts),
                    "rank_date": d,
                    "published_at": str(d),
                    "checked_at": now,
                    "saved_at": now,
                }
                for n in range(charts)
                for d in days
            ]
            conn.execute(s.ranking_days.insert(), known)
        for start in range(0, count, POINTS_AT_ONCE):
            with warehouse.write() as conn:
                points = [_point(n, today, now) for n in range(start, min(start + POINTS_AT_ONCE, count))]
                merge_audience(conn, s.track_audience, points)


def _point(number: int, today: date, now: datetime) -> dict[str, object]:
    return {
        "track_uuid": f"track-{number // DAYS_OF_SERIES:06}",
        "platform": "spotify",
        "metric": "streams",
        "identifier": "",
        "date": today - timedelta(days=number % DAYS_OF_SERIES),
        "value": number,
        "fetched_at": now,
    }


async def burst(port: int, requests: Sequence[tuple[str, str]]) -> list[Answer]:
    """All requests at once, each on a connection of its own that is open already."""
    go = asyncio.Event()
    ready: list[asyncio.Task[Answer]] = []
    for method, path in requests:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        ready.append(asyncio.create_task(_ask(reader, writer, method, path, go)))
    await asyncio.sleep(0.5)
    go.set()
    return await asyncio.gather(*ready)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, go: asyncio.Event
) -> Answer:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    message = (head + ("Content-Length: 0\r\n" if method == "POST" else "") + "\r\n").encode()
    await go.wait()
    began = time.perf_counter()
    writer.write(message)
    answer = await reader.read(-1)
    seconds = time.perf_counter() - began
    writer.close()
    return method, int(answer.split(b" ", 2)[1]), seconds


@contextmanager
def serving(*, charts: int, runs: int, points: int) -> Iterator[tuple[int, int, str]]:
    """A `serve` in a new folder once it is healthy: its port, the process of the internal API, its database."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environ, port = _set_up(folder, charts)
        url = f"sqlite:///{folder}/data/soundcharts.db"
        began = time.perf_counter()
        fill_runs(Path(environ["DAGSTER_HOME"]), runs, charts)
        fill_points(url, points, charts)
        filled = time.perf_counter()
        ports = ["--port", str(port), "--ui-port", str(_free())]
        with (folder / "serve.log").open("w") as log:
            served = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "soundcharts_pipeline", "serve", *ports], env=environ, stdout=log, stderr=log
            )
        try:
            asyncio.run(_until_healthy(port, served))
            print(  # noqa: T201
                f"{charts:,} charts, {runs:,} runs, {points:,} points: {filled - began:.0f} s to fill, "
                f"healthy after {time.perf_counter() - filled:.0f} s"
            )
            yield port, _api_of(served.pid), url
        finally:
            served.send_signal(signal.SIGINT)
            served.wait()


def _api_of(supervisor: int) -> int:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    [pid] = [int(pid) for pid in children if b"--alone" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--parallel", type=int, default=300)
    parser.add_argument("--bursts", type=int, default=3)
    options = parser.parse_args()
    with serving(charts=CHARTS, runs=options.runs, points=options.points) as (port, _, _):
        for number in range(options.bursts):
            requests = [_request(n) for n in range(options.parallel)]
            random.shuffle(requests)
            _report(f"burst {number + 1}", asyncio.run(burst(port, requests)))


def _request(number: int) -> tuple[str, str]:
    slug = chart(number // 10)
    kind = ("POST", "trigger-cascade") if number % 10 == 0 else ("GET", "status")
    return kind[0], f"/admin/soundcharts/chart/{slug}/{kind[1]}/"


def _set_up(folder: Path, charts_count: int) -> tuple[dict[str, str], int]:
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    charts = folder / "charts.yaml"
    first = date.today() - timedelta(days=60)  # noqa: DTZ011
    lines = [
        f"defaults:\n  first_date: {first}\n  active: false\n",
        "charts:\n",
        *(f"  - slug: {chart(number, charts_count)}\n" for number in range(charts_count)),
    ]
    charts.write_text("".join(lines))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOUNDCHARTS_", "DAGSTER_"))}
    return kept | {
        "DAGSTER_HOME": str(home),
        "SOUNDCHARTS_DATA_DIR": str(folder / "data"),
        "SOUNDCHARTS_CHARTS": str(charts),
        "SOUNDCHARTS_ADMIN_TOKEN": TOKEN,
    }, _free()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _until_healthy(port: int, served: "subprocess.Popen[bytes]") -> None:
    while served.poll() is None:
        try:
            ((_, status, _),) = await burst(port, [("GET", "/admin/soundcharts/health/")])
        except OSError:
            status = 0
        if status == 200:
            return
        await asyncio.sleep(0.5)
    raise SystemExit("serve ended by itself")


def _report(name: str, answers: Sequence[Answer]) -> None:
    for method in ("GET", "POST"):
        of_method = sorted(seconds for asked, _, seconds in answers if asked == method)
        codes = dict(sorted(Counter(status for asked, status, _ in answers if asked == method).items()))
        p50, p95 = (1000 * of_method[int(len(of_method) * share)] for share in (0.5, 0.95))
        kind = "status " if method == "GET" else "trigger"
        print(f"{name}  {kind}  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  {codes}")  # noqa: T201


if __name__ == "__main__":
    main()
