"""Values of 64 bits, to the last digit: through trends, previews, pictures, workbooks, exports and frames."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import BigInteger, Integer, select

from soundcharts_pipeline.admin.pages.rendering import number
from soundcharts_pipeline.analysis import charts, connect, growth
from soundcharts_pipeline.analysis.growth import COUNT, LEVEL, TOTAL
from soundcharts_pipeline.analysis.trends import chart_trends, save_trends
from soundcharts_pipeline.orchestration.assets.pictures import audience_pictures, trend_pictures
from soundcharts_pipeline.orchestration.assets.table_metadata import as_markdown
from soundcharts_pipeline.reports.export.xlsx import write_xlsx
from soundcharts_pipeline.reports.pictures.canvas import WIDE
from soundcharts_pipeline.reports.workbook.lines import chart_lines
from soundcharts_pipeline.reports.workbook.report import Report
from soundcharts_pipeline.reports.workbook.workbook import write_workbook
from soundcharts_pipeline.storage.housekeeping.archive import archive
from soundcharts_pipeline.storage.queries.chart_day import read_chart_day
from soundcharts_pipeline.storage.queries.summaries import audience_preview, trend_preview
from soundcharts_pipeline.storage.tables import audience_views as v
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.schema import TREND_DAYS, base_days
from soundcharts_pipeline.storage.warehouse import Warehouse

from .held import CHART, DAY, NOW, ago, save, save_artist_points, save_names, save_ranking, save_track_points

LARGEST = 2**63 - 1
WIDTH = growth.window_days(90)
VALUES = st.one_of(
    st.integers(0, LARGEST),
    st.integers(LARGEST - 5, LARGEST),
    st.integers(2**53 - 3, 2**53 + 3),
    st.integers(2**62 - 3, 2**62 + 3),
    st.integers(0, 9),
)
SERIES = st.dictionaries(st.integers(0, 12), VALUES, min_size=1)


def in_python(series: Mapping[int, int], kind: int) -> dict[str, int | None]:
    """The whole numbers of the trend of one identifier, by the words of docs/analysis.md; values by days ago."""
    latest = min(series)
    known = sorted(series, reverse=True)
    falls = [day for before, day in pairwise(known) if kind == TOTAL and series[day] < series[before]]
    gains = {
        day: value if kind == COUNT else value - series[day + 1]
        for day, value in series.items()
        if kind == COUNT or (day + 1 in series and not (kind == TOTAL and value < series[day + 1]))
    }
    found: dict[str, int | None] = {"value": series[latest], "peak": max(series.values()), "daily": gains.get(latest)}
    found["daily_peak"] = max(gains.values(), default=None)
    for days in TREND_DAYS:
        bases = (latest + back for back in base_days(days))
        base = next((day for day in bases if day in series and all(day <= fall for fall in falls)), None)
        found[f"difference_{days}"] = None if base is None else series[latest] - series[base]
    return found


@given(SERIES, st.sampled_from([TOTAL, LEVEL, COUNT]))
def test_whole_numbers_of_a_trend_are_exact_over_all_64_bits(series: dict[int, int], kind: int) -> None:
    parts = growth.in_parts(np.array(list(series.values()), dtype=np.int64))
    values = np.full((len(parts), 1, WIDTH), np.nan)
    values[:, 0, [WIDTH - 1 - day for day in series]] = parts
    kept, columns = growth.develop(values, np.zeros(1, np.int64), np.array([kind]), range_days=90)
    assert kept.tolist() == [0]
    for name, expected in in_python(series, kind).items():
        found: Any = columns[name][0]
        known = None if found is None or found != found else int(found)
        assert known == expected, name
    assert float(columns["average"][0]) == pytest.approx(sum(series.values()) / len(series))


def test_the_smallest_number_that_is_split_says_the_same_as_before() -> None:
    for value in (growth.UNSPLIT - 1, growth.UNSPLIT, -growth.UNSPLIT, LARGEST, -(2**63)):
        parts = growth.in_parts(np.array([value, 0], dtype=np.int64))
        assert [sum(int(part) for part in one) for one in parts.T] == [value, 0]
        assert len(parts) == (1 if abs(value) < growth.UNSPLIT else 2)


@pytest.fixture
def large(warehouse: Warehouse) -> Warehouse:
    """Tracks a to d and an artist with values from 2^62; the two identifiers of c are more than 64 bits together."""
    save_names(warehouse, "a b c d", "x")
    save_ranking(warehouse, DAY, "a b c d", fields={track: {"metric": LARGEST} for track in "abc"})
    credits_ = [{"track_uuid": track, "artist_uuid": "x", "role": "main", "position": 0} for track in "abd"]
    save(warehouse, s.track_artists, *credits_)
    save_track_points(warehouse, "a", {7: 2**62 - 1, 1: 2**62 + 1, 0: 2**62 + 4})
    save_track_points(warehouse, "b", {7: 1, 1: 2, 0: LARGEST})
    for identifier in ("one", "two"):
        save_track_points(warehouse, "c", {1: 2**62 + 1, 0: 2**62 + 3}, identifier=identifier)
    save_track_points(warehouse, "d", {1: 5, 0: 9})
    save_artist_points(warehouse, "x", {7: LARGEST, 1: LARGEST - 1, 0: LARGEST - 3})
    return warehouse


def test_trends_go_on_and_are_stored_to_the_last_digit(large: Warehouse) -> None:
    with large.read() as conn:
        found = chart_trends(conn, CHART, DAY)
    with large.write() as conn:
        assert save_trends(conn, CHART, DAY, found) == 4
    t = s.audience_trends
    with large.read() as conn:
        query = select(t.c.uuid, t.c.value, t.c.peak, t.c.daily, t.c.difference_7).order_by(t.c.uuid)
        stored = {uuid: tuple(rest) for uuid, *rest in conn.execute(query)}
        preview = as_markdown(trend_preview(conn, CHART, DAY)).value
    assert stored == {
        "a": (2**62 + 4, 2**62 + 4, 3, 5),
        "b": (LARGEST, LARGEST, LARGEST - 2, LARGEST - 1),
        # Of c there is no trend: what no column holds is not told, and keeps nobody from the others.
        "d": (9, 9, 4, None),
        "x": (LARGEST - 3, LARGEST, -2, -3),
    }
    assert f"{2**62 + 4:,}" in str(preview)
    assert f"{(LARGEST - 1) * 100:,}"[:15] in str(preview)


def test_previews_pictures_and_frames_take_them(large: Warehouse) -> None:
    with large.read() as conn:
        rows = audience_preview(conn, CHART, DAY, "track", "spotify").rows
        pictures = {**audience_pictures(conn, CHART, DAY, "track", "spotify"), **trend_pictures(conn, CHART, DAY)}
        pictures |= audience_pictures(conn, CHART, DAY, "artist", "spotify")
        artists = charts.artists(conn, CHART, DAY)
    assert {row[1]: row[-1] for row in rows} == {
        "Track a": 2**62 + 4,
        "Track b": LARGEST,
        "Track c": 2**63 + 6,
        "Track d": 9,
    }
    for picture in pictures.values():
        ElementTree.fromstring(picture.draw(WIDE))  # noqa: S314  # ours
    assert artists["metric"].isna().tolist() == [True]
    assert artists["tracks_with_metric"].tolist() == [2]
    assert number(2**62 + 1) == f"{2**62 + 1:,}"


def test_a_difference_that_64_bits_do_not_hold_is_null_in_views_and_frames(
    warehouse: Warehouse, database_url: str, tmp_path: Path
) -> None:
    save_names(warehouse, "a", "x y")
    save_track_points(warehouse, "a", {40: -LARGEST - 1, 39: -1, 38: LARGEST, 1: -7, 0: LARGEST - 7})
    save_artist_points(warehouse, "x", {40: LARGEST, 39: -2, 38: -LARGEST - 1, 1: LARGEST - 1, 0: LARGEST})
    save_artist_points(warehouse, "y", {40: -2, 39: LARGEST - 2, 38: 0, 1: -LARGEST - 1, 0: 0})
    expected = {
        "a": [None, LARGEST, None, None, LARGEST],
        "x": [None, None, -LARGEST + 1, None, 1],
        "y": [None, LARGEST, -LARGEST + 2, -LARGEST - 1, None],
    }
    for entity, view in (("track", v.track_audience_daily.table), ("artist", v.artist_audience_daily.table)):
        found: dict[str, list[int | None]] = {}
        with warehouse.read() as conn:
            for uuid, daily in conn.execute(select(view.c[0], view.c.daily).order_by(view.c[0], view.c.date)):
                found.setdefault(uuid, []).append(daily)
        assert found == {uuid: days for uuid, days in expected.items() if (uuid == "a") == (entity == "track")}
    archive(warehouse, tmp_path, before=date(2026, 11, 1), now=NOW, on_progress=print)
    with connect(database_url, archive=tmp_path) as music:
        for points in (music.track_audience(), music.artist_audience()):
            assert points.attrs["archive"]
            for uuid, of in points.groupby(points.columns[0]):
                assert [None if pd.isna(daily) else int(daily) for daily in of["daily"]] == expected[str(uuid)], uuid


def test_a_workbook_has_every_digit(large: Warehouse, tmp_path: Path) -> None:
    with large.read() as conn:
        of = read_chart_day(conn, CHART, DAY, history_days=10)
        made = datetime(2026, 11, 23, tzinfo=UTC)
        report = Report(name=CHART, of=of, lines=chart_lines(conn, of), expected=[], left_out={}, made=made)
    write_workbook(tmp_path / "made.xlsx", report)
    book: Any = load_workbook(tmp_path / "made.xlsx")
    heading = [cell.value for cell in book["Audience"][1]]
    newest = next(place for place, cell in enumerate(heading) if isinstance(cell, datetime))
    assert heading[newest].date() == DAY
    rows = list(book["Audience"].iter_rows(min_row=2, values_only=True))
    assert [row[newest] for row in rows if row[3] == "Track c"] == [str(2**62 + 3)] * 2
    shown = {row[3]: row[newest] for row in rows if row[3] != "Track c"}
    assert shown == {
        "Track a": str(2**62 + 4),
        "Track b": str(LARGEST),
        "Track d": 9,
        "Artist x": str(LARGEST - 3),
    }
    drawn = [cell for row in book["Chart data"].iter_rows(min_row=2, min_col=2, values_only=True) for cell in row]
    assert not any(isinstance(cell, str) for cell in drawn)


def test_a_bulk_workbook_has_every_digit(tmp_path: Path) -> None:
    values = [0, 10**15 - 1, 10**15, 2**53 + 1, 2**62 + 1, LARGEST, -LARGEST, None, 1]
    path = tmp_path / "made.xlsx"
    write_xlsx(path, {"value": BigInteger(), "place": Integer()}, [[(value, 7) for value in values]], count=len(values))
    sheet: Any = load_workbook(path)["Data"]
    found = [cell for cell, _ in sheet.iter_rows(min_row=2, values_only=True)]
    assert [None if cell is None else int(cell) for cell in found] == values
    assert [isinstance(cell, str) for cell in found] == [value is not None and abs(value) >= 10**15 for value in values]
    assert ago(1) < DAY
