"""50 open dashboards over 60 and over 1,000 charts: what a page, a poll and a status weigh, take and cost.

`python -m benchmarks.dashboards`: fills a new folder for each number of charts, starts `soundcharts-pipeline serve` on
it, opens the page in all tabs at once, and lets each poll every two seconds, as its script does, while five charts
change in every round. Nothing else is at work. Processor time is that of the internal API's process.
"""

import argparse
import asyncio
import os
import re
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.admin import TOKEN, chart, serving
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

PREFIX = "/admin/soundcharts"
EVERY_SECONDS = 2.0
CHANGED = 5


class Tab:
    """One browser tab: a connection that is kept, and what the page said of the next poll."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self._port, self._cookie, self._since = port, cookie, ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, bytes, float]:
        """Status, head, body and seconds."""
        sent = {"Host": "localhost", "Content-Length": str(len(body)), "Accept": "text/html", **headers}
        sent |= {"Cookie": self._cookie} if self._cookie else {}
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

    async def page(self) -> tuple[int, float]:
        """Bytes and seconds of the whole page."""
        status, _, body, seconds = await self.ask("GET", f"{PREFIX}/")
        assert status == 200, status  # noqa: S101
        since = re.search(rb'data-since="([^"]*)"', body)
        self._since = since[1].decode() if since else ""
        return len(body), seconds

    async def poll(self) -> tuple[int, float]:
        """Bytes and seconds of what the script fetches."""
        path = f"{PREFIX}/tasks/" + (f"?since={self._since}" if self._since else "")
        _, _, body, seconds = await self.ask("GET", path)
        since = re.search(rb'"since": "([^"]*)"', body)
        self._since = since[1].decode() if since else self._since
        return len(body), seconds

    async def status(self, slug: str) -> tuple[int, float]:
        """Bytes and seconds of the status of one chart."""
        _, _, body, seconds = await self.ask(
            "GET", f"{PREFIX}/chart/{slug}/status/", Authorization=f"Bearer {TOKEN}", Accept="*/*"
        )
        return len(body), seconds


async def measure(port: int, api: int, url: str, *, charts: int, tabs: int, rounds: int) -> None:
    """Prints a line for the page, the polls and the status."""
    cookie = await Tab(port).sign_in()
    opened = [Tab(port, cookie) for _ in range(tabs)]
    began = _cpu(api)
    _print(charts, "page", await asyncio.gather(*(tab.page() for tab in opened)), _cpu(api) - began)
    polls, began = [], _cpu(api)
    for number in range(rounds):
        due = time.monotonic() + EVERY_SECONDS
        await asyncio.to_thread(_change, url, number, charts)
        polls += await asyncio.gather(*(tab.poll() for tab in opened))
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    _print(charts, "poll", polls, (_cpu(api) - began) / rounds)
    began = _cpu(api)
    answers = await asyncio.gather(*(tab.status(chart(number, charts)) for number, tab in enumerate(opened)))
    _print(charts, "status", answers, _cpu(api) - began)


def _change(url: str, number: int, charts: int) -> None:
    """Five charts are found to be of another platform."""
    slugs = [chart(number * CHANGED + n, charts) for n in range(CHANGED)]
    with closing(Warehouse(url)) as warehouse, warehouse.write() as conn:
        conn.execute(s.charts.delete().where(s.charts.c.slug.in_(slugs)))
        conn.execute(s.charts.insert(), [{"slug": slug, "name": slug, "platform": f"{number}"} for slug in slugs])


def _cpu(pid: int) -> float:
    """Seconds of a processor so far."""
    facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def _print(charts: int, what: str, answers: Sequence[tuple[int, float]], cpu: float) -> None:
    sizes, seconds = sorted(size for size, _ in answers), sorted(seconds for _, seconds in answers)
    middle, late = len(answers) // 2, int(len(answers) * 0.95)
    print(  # noqa: T201
        f"{charts:>5} charts  {what:<6}  {sum(sizes) / len(sizes):>11,.0f} bytes (most {sizes[-1]:,})  "
        f"p50 {1000 * seconds[middle]:7.1f} ms  p95 {1000 * seconds[late]:7.1f} ms  processor {cpu:.2f} s a round"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charts", type=int, nargs="+", default=[60, 1_000])
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=4_000)
    options = parser.parse_args()
    for charts in options.charts:
        with serving(charts=charts, runs=options.runs, points=10_000) as (port, pid, url):
            asyncio.run(measure(port, pid, url, charts=charts, tabs=options.tabs, rounds=options.rounds))


if __name__ == "__main__":
    main()
