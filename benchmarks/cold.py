"""A billion archived points, and what is asked of them: `python -m benchmarks.cold --help`.

Files of months as `archive` writes them, of seven series of each track on every day, in a folder that is thrown away
(5.2 GB by default). Then `connect()` in a process of its own for each question: the tracks of a chart in one month, one
track in one month, and one track in all of them, for which every file is checked. What comes back is compared with what
was written, value by value.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import insert

from benchmarks.scratch import heading, row
from soundcharts_pipeline.storage.files import sha256_of
from soundcharts_pipeline.storage.housekeeping import parquet_files
from soundcharts_pipeline.storage.housekeeping.archive import BATCH, FOLDER
from soundcharts_pipeline.storage.housekeeping.manifest import Manifest, Part
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.months import after
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.wording import month_of

TABLE = s.track_audience
SERIES = [
    *[("spotify", "streams", f"spotify-{n}") for n in range(3)],
    *[("youtube", "views", f"youtube-{n}") for n in range(2)],
    *[("shazam", "shazams", "shazam-0"), ("airplay", "spins", "")],
]
FIRST = date(2024, 1, 1)
ARCHIVED_AT = "2026-06-01T02:00:00+00:00"
CHART = 200

Numbers = npt.NDArray[np.int64]


def days_of(month: date) -> list[date]:
    return [month + timedelta(days=n) for n in range((after(month) - month).days)]


def first_days(count: int) -> list[date]:
    found = [FIRST]
    while len(found) < count:
        found.append(after(found[-1]))
    return found


def track(number: int) -> str:
    """In the order of the numbers."""
    return f"{number:08x}-0000-4000-8000-{number * 2_654_435_761 % (1 << 48):012x}"


def mixed(numbers: Numbers) -> Numbers:
    """Numbers that look drawn, the same for the same ones (the finalizer of splitmix64)."""
    found = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
    return found ^ (found >> np.uint64(31))


def values(tracks: Numbers, series: Numbers, days: Numbers) -> Numbers:
    """Totals between a thousand and three billion, which grow by up to a thousandth a day, no day like another."""
    of_series = tracks * len(SERIES) + series
    start = 10 ** (3 + (mixed(of_series) % np.uint64(6_500)).astype(np.float64) / 1_000)
    daily = (mixed(of_series * 1_000_003 + days) % np.uint64(1_000_000)).astype(np.float64) / 1_000_000
    return (start * (1 + (days - FIRST.toordinal() + daily) / 1_000)).astype(np.int64)


def moments(tracks: Numbers, series: Numbers, days: Numbers) -> Numbers:
    """When each was fetched, in microseconds: in the night after its day, a dozen tracks at a time."""
    answers = mixed((tracks // 12 * len(SERIES) + series) * 1_000_003 + days) % np.uint64(3_600_000_000)
    return ((days - date(1970, 1, 1).toordinal() + 1) * 86_400_000_000 + 7_200_000_000) + answers.astype(np.int64)


def write_month(folder: Path, month: date, tracks: int) -> Part:
    """One file, a row group of some thousand series at a time."""
    file = f"{TABLE.name}/{month_of(month)}/part-0001.parquet"
    path = folder / file
    path.parent.mkdir(parents=True)
    schema = pa.schema([parquet_files._field(column) for column in TABLE.columns])
    days = days_of(month)
    at_once = BATCH // (len(SERIES) * len(days))
    with path.open("wb") as out, parquet_files._writer(out, schema) as writer:
        for first in range(0, tracks, at_once):
            group = _group(range(first, min(first + at_once, tracks)), days, schema)
            writer.write_table(group, row_group_size=len(group))
    rows = tracks * len(SERIES) * len(days)
    return Part(TABLE.name, month_of(month), file, rows, path.stat().st_size, sha256_of(path), ARCHIVED_AT, True)


def _group(numbers: Sequence[int], days: Sequence[date], schema: pa.Schema) -> pa.Table:
    per_track = len(SERIES) * len(days)
    tracks = np.repeat(np.asarray(numbers, dtype=np.int64), per_track)
    series = np.tile(np.repeat(np.arange(len(SERIES)), len(days)), len(numbers))
    ordinals = np.tile(np.asarray([day.toordinal() for day in days]), len(numbers) * len(SERIES))
    day = np.tile(np.arange(len(days)), len(numbers) * len(SERIES))
    columns = {
        "track_uuid": pa.array([track(n) for n in numbers]).take(pa.array(tracks - numbers[0])),
        **{
            name: pa.array([one[place] for one in SERIES]).take(pa.array(series))
            for place, name in enumerate(("platform", "metric", "identifier"))
        },
        "date": pa.array(days, pa.date32()).take(pa.array(day)),
        "value": pa.array(values(tracks, series, ordinals)),
        "fetched_at": pa.array(moments(tracks, series, ordinals), pa.timestamp("us", tz="UTC")),
    }
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def fill(folder: Path, url: str, tracks: int, count: int) -> list[Part]:
    """The files, and a database that notes them and knows the tracks."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(write_month, [folder] * count, first_days(count), [tracks] * count))
    manifest = Manifest(folder)
    for part in parts:
        manifest.add(part)
    with closing(Warehouse(url)) as warehouse, warehouse.write() as conn:
        seen = {"first_seen_at": datetime(2026, 6, 1, tzinfo=UTC), "artists_extracted": True, "genres_extracted": True}
        conn.execute(insert(s.tracks), [{"uuid": track(n), "name": f"Track {n}", **seen} for n in range(tracks)])
        noted = {"table_name": TABLE.name, "archived_at": datetime(2026, 6, 1, tzinfo=UTC)}
        conn.execute(insert(b.archived_months), [{"month": part.first_day, **noted} for part in parts])
    return parts


def ask(url: str, folder: Path, numbers: Sequence[int], first: date, last: date) -> tuple[float, float, int]:
    """Seconds of the first time, checksums included, and of the second; rows, once they are what was written."""
    from soundcharts_pipeline.analysis import connect

    took = []
    with connect(url, archive=folder) as warehouse:
        for _ in range(2):
            began = time.perf_counter()
            found = warehouse.track_audience([track(n) for n in numbers], platform="spotify", first=first, last=last)
            took.append(time.perf_counter() - began)
    expected = {
        (track(n), SERIES[i][2], first + timedelta(days=d)): int(value)
        for n in numbers
        for i in range(3)
        for d, value in enumerate(
            values(np.array([n]), np.array([i]), np.arange(first.toordinal(), last.toordinal() + 1))
        )
    }
    keys = zip(found["track_uuid"], found["identifier"], found["date"].dt.date, strict=True)
    if dict(zip(keys, found["value"].astype(int), strict=True)) != expected:
        raise SystemExit("what came from the archive is not what was written")
    return took[0], took[1], len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=200_000)
    parser.add_argument("--months", type=int, default=24)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, url = Path(temporary) / FOLDER, f"sqlite:///{temporary}/soundcharts.db"
        began = time.perf_counter()
        parts = fill(folder, url, options.tracks, options.months)
        points, size = sum(part.rows for part in parts), sum(part.bytes for part in parts)
        heading("points", "files", "GB", "bytes a point", "written in")
        row(
            f"{points:,}",
            len(parts),
            f"{size / 1e9:.2f}",
            f"{size / points:.2f}",
            f"{time.perf_counter() - began:.0f} s",
        )
        whole = first_days(options.months)
        month = whole[len(whole) // 2]
        step = max(options.tracks // CHART, 1)
        chart = range(step // 2, options.tracks, step)
        questions = {
            "200 tracks, one month": (chart, month, days_of(month)[-1]),
            "one track, one month": (chart[:1], month, days_of(month)[-1]),
            "one track, all months": (chart[:1], whole[0], days_of(whole[-1])[-1]),
        }
        heading("question", "rows", "first time, s", "again, s")
        for name, (numbers, first, last) in questions.items():
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                once, again, rows = pool.submit(ask, url, folder, numbers, first, last).result()
            row(name, f"{rows:,}", f"{once:.2f}", f"{again:.2f}")


if __name__ == "__main__":
    main()
