"""The storage report: sizes are those of the database, the forecast is a straight line."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soundcharts_pipeline.reports.pictures.size_plot import size_plot
from soundcharts_pipeline.storage.housekeeping.size_report import Forecast, forecast, make_report
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.storage.old_rows import NOW, fill, held


def test_every_table_has_its_rows_and_bytes_and_what_it_grew_by(warehouse: Warehouse) -> None:
    narrow = (audience.points, audience.located_points)
    first = make_report(warehouse, NOW)
    assert {size.table for size in first.sizes} == set(s.metadata.tables)
    assert (first.earlier, first.forecast) == ({}, None)
    fill(warehouse)

    second = make_report(warehouse, NOW + timedelta(days=2))

    sizes = {size.table: size for size in second.sizes}
    for table, rows in held(warehouse, s.chart_rankings, s.audience_trends, *narrow).items():
        assert (sizes[table].rows, second.earlier[table].rows) == (len(rows), 0)
        assert sizes[table].table_bytes > 0
    # rankings have an index beside their key
    assert sizes["chart_rankings"].index_bytes > 0
    assert second.earlier_at == NOW
    assert [total for _, total in second.totals] == [first.bytes, second.bytes]
    assert second.forecast is not None
    assert second.forecast.bytes_a_day == pytest.approx((second.bytes - first.bytes) / 2)
    assert (second.free_bytes is None) == (warehouse.dialect == "postgresql")
    assert second.timed_now
    assert [query.milliseconds for query in second.slowest] == sorted(
        (query.milliseconds for query in second.slowest), reverse=True
    )


@example(slope=2, days=[9, 17, 29, 44, 65])
@given(slope=st.integers(1, 10**9), days=st.lists(st.integers(1, 89), min_size=1, max_size=20, unique=True))
def test_the_forecast_of_a_straight_growth_is_that_line(slope: int, days: list[int]) -> None:
    newest = 100 * slope
    totals = [(NOW - timedelta(days=day), newest - day * slope) for day in sorted(days, reverse=True)]
    found = forecast([*totals, (NOW, newest)], free_bytes=slope * 365)

    assert found is not None
    assert found.bytes_a_day == pytest.approx(slope)
    assert found.in_30_days == 130 * slope
    assert found.in_90_days == 190 * slope
    assert found.full_on is not None
    assert abs(found.full_on - (NOW.date() + timedelta(days=365))) <= timedelta(days=1)


def test_a_disk_is_never_full_while_nothing_grows() -> None:
    shrinking = [(NOW - timedelta(days=2), 100), (NOW, 60)]
    assert forecast(shrinking, free_bytes=10) == Forecast(-20, 0, 0, None)
    assert forecast([(NOW - timedelta(days=400), 10), (NOW, 60)], free_bytes=10) is None
    assert forecast([(NOW - timedelta(hours=3), 10), (NOW, 60)], free_bytes=10) is None


def test_a_picture_shows_every_day_from_zero_and_the_forecast() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    totals = [(begin + timedelta(days=n // 2, hours=n % 2), 10**6 * n) for n in range(300)]
    picture = size_plot(totals, Forecast(1e6, 330 * 10**6, 390 * 10**6, date(2027, 1, 1)))
    assert len(picture) < 60_000
    assert [len(re.findall("[ML]", path)) for path in re.findall(r'<g id="line-0-\d"><path d="([^"]*)"', picture)] == [
        150,
        3,
    ]
    assert [text for text in ("measured", "forecast", ">0<", ">200M<") if text not in picture] == []
