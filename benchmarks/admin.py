"""The internal API under load: bursts of requests beside a large warehouse and many runs.

`python -m benchmarks.admin`: fills a new folder (5,000 runs in Dagster's instance, 1,000,000 audience points), starts
`soundcharts-pipeline serve` on it, and prints status codes and latencies of 300 requests in parallel, status and
trigger mixed. Latency is measured from the moment all requests of a burst are let go, so it holds the wait for the
server's one thread. Open dashboards are measured by `benchmarks.dashboards`.
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks.served import TOKEN, Filling, serving

CHARTS = 20
Answer = tuple[str, int, float]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--parallel", type=int, default=300)
    parser.add_argument("--bursts", type=int, default=3)
    options = parser.parse_args()
    filling = Filling(charts=CHARTS, runs=options.runs, points=options.points)
    with serving(filling) as served:
        for number in range(options.bursts):
            requests = [_request(filling, n) for n in range(options.parallel)]
            random.shuffle(requests)
            _report(f"burst {number + 1}", asyncio.run(burst(served.port, requests)))


def _request(filling: Filling, number: int) -> tuple[str, str]:
    slug = filling.slug(number // 10)
    kind = ("POST", "trigger-cascade") if number % 10 == 0 else ("GET", "status")
    return kind[0], f"/admin/soundcharts/chart/{slug}/{kind[1]}/"


def _report(name: str, answers: Sequence[Answer]) -> None:
    for method in ("GET", "POST"):
        of_method = sorted(seconds for asked, _, seconds in answers if asked == method)
        codes = dict(sorted(Counter(status for asked, status, _ in answers if asked == method).items()))
        p50, p95 = (1000 * of_method[int(len(of_method) * share)] for share in (0.5, 0.95))
        kind = "status " if method == "GET" else "trigger"
        print(f"{name}  {kind}  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  {codes}")  # noqa: T201


if __name__ == "__main__":
    main()
