"""50 open dashboards over 200 and over 1,000 charts with three years of chart-days: what a page and a poll weigh and
take, and what share of a core all tabs cost.

`python -m benchmarks.dashboards`: fills a new folder for each number of charts and each database, starts
`soundcharts-pipeline serve` on it, opens the page in all tabs at once, and lets each poll every two seconds, as its
script does, each in its own moment: while one run is at work, and while five charts change every two seconds. What the
process of the dashboard costs without any tab is told beside it. Nothing else is at work.
"""

import argparse
import asyncio
import gzip
import os
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import requests

from benchmarks.served import RANKINGS, TOKEN, Filling, Served, serving
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.dagster_site import ask
from soundcharts_pipeline_tests.support.postgres import running_server

PREFIX = "/admin/soundcharts"
EVERY_SECONDS = 2.0
CHANGED = 5
# What Dagster's UI asks for the page of an asset with its partitions.
OF_PARTITIONS = """
query PartitionHealthQuery($assetKey: AssetKeyInput!) { assetNodeOrError(assetKey: $assetKey) { ... on AssetNode { id
  partitionKeysByDimension { name type partitionKeys }
  assetPartitionStatuses { ... on MultiPartitionStatuses { primaryDimensionName
    ranges { primaryDimStartKey primaryDimEndKey primaryDimStartTime primaryDimEndTime
      secondaryDim { ... on TimePartitionStatuses { ranges { status startTime endTime startKey endKey } }
        ... on DefaultPartitionStatuses { materializedPartitions materializingPartitions failedPartitions } } } } }
} } }
"""
Answer = tuple[int, float]
Change = Callable[[int], None]


class Tab:
    """One browser tab: a connection that is kept, and what the page said of the next poll."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self._port, self._cookie, self._since = port, cookie, ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, bytes, float]:
        """Status, head, body and seconds."""
        sent = {"Host": "localhost", "Content-Length": str(len(body)), "Accept": "text/html", **headers}
        sent |= {"Accept-Encoding": "gzip"} | ({"Cookie": self._cookie} if self._cookie else {})
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", body]
        message, began = "\r\n".join(lines).encode(), time.perf_counter()
        try:
            head, answer = await self._exchange(message)
        except (asyncio.IncompleteReadError, ConnectionError):  # it was idle for too long; browsers do the same
            self._streams = None
            head, answer = await self._exchange(message)
        return int(head.split(" ", 2)[1]), head, answer, time.perf_counter() - began

    async def _exchange(self, message: bytes) -> tuple[str, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(message)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        return head, await reader.readexactly(int(length[1])) if length else b""

    async def sign_in(self) -> str:
        """The cookie of a session."""
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://localhost"}
        _, head, _, _ = await self.ask("POST", f"{PREFIX}/login/", f"token={TOKEN}", **form)
        found = re.search(r"(?i)set-cookie: ([^;]+)", head)
        assert found  # noqa: S101
        return found[1]

    async def page(self, path: str = "/") -> Answer:
        """Bytes and seconds of a whole page."""
        status, head, body, seconds = await self.ask("GET", PREFIX + path)
        assert status == 200, status  # noqa: S101
        plain = gzip.decompress(body) if "content-encoding: gzip" in head.lower() else body
        since = re.search(rb'data-since="([^"]*)"', plain)
        self._since = since[1].decode() if since else ""
        return len(body), seconds

    async def poll(self) -> Answer:
        """Bytes and seconds of what the script fetches."""
        _, head, body, seconds = await self.ask("GET", f"{PREFIX}/tasks/?since={self._since}")
        plain = gzip.decompress(body) if "content-encoding: gzip" in head.lower() else body
        since = re.search(rb'"since": "([^"]*)"', plain)
        self._since = since[1].decode() if since else self._since
        return len(body), seconds

    async def status(self, slug: str) -> Answer:
        """Bytes and seconds of the status of one chart."""
        _, _, body, seconds = await self.ask(
            "GET", f"{PREFIX}/chart/{slug}/status/", Authorization=f"Bearer {TOKEN}", Accept="*/*"
        )
        return len(body), seconds


class Bench:
    """Measures one server; every method prints a line."""

    def __init__(self, served: Served, filling: Filling, name: str) -> None:
        self._served, self._filling, self._name = served, filling, f"{name:<10} {filling.charts:>5} charts"

    async def measure(self, *, tabs: int, seconds: float) -> None:
        cookie = await Tab(self._served.port).sign_in()
        first, *_ = opened = [Tab(self._served.port, cookie) for _ in range(tabs)]
        await self._once("first page", [first.page])
        await self._once("a page", [first.page])
        await self._once("all pages", [tab.page for tab in opened])
        await self._once("chart's", [partial(first.page, f"/chart/{self._filling.slug(0)}/")])
        for what in ("its picture", "again"):
            await self._once(what, [partial(first.page, f"/chart/{self._filling.slug(0)}/ranks.svg")])
        await self._once("statuses", [partial(tab.status, self._filling.slug(n)) for n, tab in enumerate(opened)])
        await first.page()
        alone = await self._over("no tab", [], seconds, lambda _: None, 0.0)
        await self._over("quiet", opened, seconds, lambda _: None, alone)
        alone = await self._over("no tab, run", [], seconds, self._advance, 0.0)
        await self._over("a run", opened, seconds, self._advance, alone)
        alone = await self._over("no tab, 5", [], seconds, self._change, 0.0)
        await self._over("5 change", opened, seconds, self._change, alone)

    def partitions(self, what: str) -> None:
        """Dagster's own page of the ranking's asset, as its web server answers it."""
        began = time.perf_counter()
        url, key = f"http://127.0.0.1:{self._served.ui_port}", {"path": [RANKINGS]}
        try:
            answer = ask(url, OF_PARTITIONS, assetKey=key)["assetNodeOrError"]["assetPartitionStatuses"]
            told = f"{len(answer['ranges'])} ranges"
        except requests.Timeout:
            told = "no answer"
        print(f"{self._name}  {what:<12} {told} after {time.perf_counter() - began:.1f} s")  # noqa: T201

    async def _once(self, what: str, asked: Sequence[Callable[[], Awaitable[Answer]]]) -> None:
        began = self._cpu()
        answers = await asyncio.gather(*(one() for one in asked))
        cpu = 1000 * (self._cpu() - began)
        print(f"{self._name}  {what:<12} {_told(answers)}  {cpu / len(asked):6.1f} ms of a core each")  # noqa: T201

    async def _over(self, what: str, tabs: Sequence[Tab], seconds: float, change: Change, alone: float) -> float:
        """Polls of all tabs while things change every two seconds; the share of a core that it took. `alone`: the share
        without tabs."""
        polls: list[Answer] = []
        end = time.monotonic() + seconds

        async def follow(tab: Tab, offset: float) -> None:
            await asyncio.sleep(offset)
            while time.monotonic() < end:
                polls.append(await tab.poll())
                await asyncio.sleep(EVERY_SECONDS)

        async def work() -> None:
            for number in range(int(seconds / EVERY_SECONDS)):
                due = time.monotonic() + EVERY_SECONDS
                await asyncio.to_thread(change, number)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

        began, cpu = time.monotonic(), self._cpu()
        await asyncio.gather(work(), *(follow(tab, EVERY_SECONDS * n / len(tabs)) for n, tab in enumerate(tabs)))
        share = (self._cpu() - cpu) / (time.monotonic() - began)
        tail = f", {share - alone:6.1%} of it for the tabs" if tabs else ""
        print(f"{self._name}  {what:<12} {_told(polls)}  {share:6.1%} of a core{tail}")  # noqa: T201
        return share

    def _advance(self, number: int) -> None:
        self._served.advance(number * 1_000)

    def _change(self, number: int) -> None:
        """Five charts are found to be of another platform."""
        slugs = [self._filling.slug(number * CHANGED + n) for n in range(CHANGED)]
        with closing(Warehouse(self._served.database_url)) as warehouse, warehouse.write() as conn:
            conn.execute(s.charts.delete().where(s.charts.c.slug.in_(slugs)))
            conn.execute(s.charts.insert(), [{"slug": slug, "name": slug, "platform": f"{number}"} for slug in slugs])

    def _cpu(self) -> float:
        """Seconds of a core that the process of the dashboard took so far."""
        facts = Path(f"/proc/{self._served.api}/stat").read_text().rpartition(")")[2].split()
        return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def _told(answers: Sequence[Answer]) -> str:
    if not answers:
        return ""
    sizes, seconds = sorted(size for size, _ in answers), sorted(seconds for _, seconds in answers)
    middle, late = len(answers) // 2, int(len(answers) * 0.95)
    mean = sum(sizes) / len(sizes)
    p50, p95 = 1000 * seconds[middle], 1000 * seconds[late]
    return f"{mean:>11,.0f} bytes (most {sizes[-1]:,})  p50 {p50:7.1f} ms  p95 {p95:7.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charts", type=int, nargs="+", default=[200, 1_000])
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the tabs are watched")
    parser.add_argument("--runs", type=int, default=4_000)
    parser.add_argument("--days", type=int, default=1_095, help="of each chart")
    options = parser.parse_args()
    for database in options.database:
        with running_server() if database == "postgresql" else nullcontext() as server:
            for charts in options.charts:
                filling = Filling(charts=charts, runs=options.runs, points=10_000, days=options.days, is_active=True)
                with serving(filling, server) as served:
                    bench = Bench(served, filling, database)
                    asyncio.run(bench.measure(tabs=options.tabs, seconds=options.seconds))
                    if database == "postgresql":  # SQLite keeps events in a file for each run
                        bench.partitions("Dagster's")
                        bench.partitions("again")


if __name__ == "__main__":
    main()
