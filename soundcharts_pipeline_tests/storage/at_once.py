"""What the processes of a test do. Each waits at the barrier, so that all of them start in the same instant."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from sqlalchemy import select, text

from soundcharts_pipeline.storage.bulk import WORTH_A_LOOK, merge
from soundcharts_pipeline.storage.points import merge_audience
from soundcharts_pipeline.storage.tables.bookkeeping import api_usage, facts
from soundcharts_pipeline.storage.tables.schema import track_audience
from soundcharts_pipeline.storage.warehouse import Warehouse

# Enough for a merge to look whether all of them are new.
SAME_TRACKS = WORTH_A_LOOK
NOW = datetime(2026, 11, 16, tzinfo=UTC)
USAGE = ["day", "endpoint", "calls", "billed", "errors", "throttled"]


def prepare(url: str, barrier: Barrier, answers: "Queue[str]") -> None:
    """Answer with the revision found, or with what went wrong."""
    with closing(Warehouse(url)) as warehouse:
        barrier.wait()
        try:
            warehouse.prepare()
            with warehouse.read() as connection:
                answers.put(str(connection.scalar(text("SELECT version_num FROM soundcharts_schema_version"))))
        except Exception as error:
            answers.put(repr(error))


def count_calls(url: str, barrier: Barrier, answers: "Queue[str]", name: str, times: int) -> None:
    """Read a shared counter and write it back one higher, and save one row of our own, `times` times."""
    with closing(Warehouse(url)) as warehouse:
        warehouse.prepare()
        barrier.wait()
        try:
            for number in range(times):
                with warehouse.write() as connection:
                    row = connection.execute(select(api_usage.c.calls).with_for_update()).one()
                    counted = (date(2026, 11, 16), "song", row.calls + 1, 0, 0, 0)
                    merge(connection, api_usage, [counted], columns=USAGE)
                    merge(connection, facts, [(f"{name}-{number}", name, NOW)], columns=["name", "value", "noted_at"])
            answers.put("done")
        except Exception as error:
            answers.put(repr(error))


def merge_the_same_points(url: str, barrier: Barrier, answers: "Queue[str]", *, backwards: bool, times: int) -> None:
    """Merge the same points, half of them with ever new values and half of them new, in one order or the other."""
    with closing(Warehouse(url)) as warehouse:
        warehouse.prepare()
        barrier.wait()
        try:
            for value in range(times):
                days = [date(2026, 1, 1), date(2026, 2, 1) + timedelta(days=value)]
                for day in days:
                    rows = [(f"track-{n}", "spotify", "streams", "", day, value, NOW) for n in range(SAME_TRACKS)]
                    with warehouse.write() as connection:
                        merge_audience(connection, track_audience, rows[::-1] if backwards else rows)
            answers.put("done")
        except Exception as error:
            answers.put(repr(error))
