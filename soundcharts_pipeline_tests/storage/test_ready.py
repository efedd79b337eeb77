"""Answers become points: what is stored is what a dictionary would hold, to the last day and number that there is."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, select, text

from soundcharts_pipeline.models import AudiencePoint, LocatedDay, Place, Series
from soundcharts_pipeline.storage.bulk_packed import PART
from soundcharts_pipeline.storage.errors import RowsLost, ValueOutOfRange
from soundcharts_pipeline.storage.points import merge_audience, save_points
from soundcharts_pipeline.storage.saves import SeriesAnswer, save_series
from soundcharts_pipeline.storage.tables import audience
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
DAY = date(2026, 11, 22)
NAMES = ("youtube", "views")

DAYS = st.sampled_from([date.min, date(1999, 12, 31), date(2000, 1, 1), DAY - timedelta(days=1), DAY, date.max])
VALUES = st.sampled_from([-(2**63), -(2**31) - 1, -1, 0, 1, 2**32, 2**63 - 1])
PLACES = st.sampled_from([("FR", "", ""), ("US", "", ""), ("FR", "", "Paris"), ("US", "Texas", "Paris")])
LYON, PARIS = ("FR", "", "Lyon"), ("FR", "", "Paris")
POINTS = st.dictionaries(DAYS, VALUES, max_size=6)
LOCATED = st.dictionaries(DAYS, st.dictionaries(PLACES, VALUES, min_size=1), max_size=3)
BATCHES = st.lists(st.lists(st.tuples(st.sampled_from("abc"), POINTS, LOCATED), max_size=4), max_size=4)


def save(warehouse: Warehouse, *answers: tuple[str, Series], now: datetime = NOW) -> int:
    with warehouse.write() as conn:
        return save_series(conn, "artist", *NAMES, [SeriesAnswer(uuid, series, ()) for uuid, series in answers], now)


def points(*values: tuple[date, int]) -> Series:
    return Series(tuple(AudiencePoint(day, "", value) for day, value in values))


def stored(warehouse: Warehouse, view: Table) -> list[tuple[Any, ...]]:
    with warehouse.read() as conn:
        return [tuple(row) for row in conn.execute(select(view).order_by(*view.primary_key))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_saving_answers_is_updating_a_dict(
    warehouse: Warehouse, batches: list[list[tuple[str, dict[date, int], dict[date, dict[Place, int]]]]]
) -> None:
    with warehouse.write() as conn:
        for table in (audience.points, audience.located_points):
            conn.execute(table.delete())
    values: dict[tuple[str, date], tuple[int, datetime]] = {}
    located: dict[tuple[str, date, bool], dict[Place, int]] = {}
    for number, batch in enumerate(batches):
        now = NOW + timedelta(hours=number)
        answers = [
            (uuid, Series(points(*of.items()).points, tuple(LocatedDay(*day) for day in places.items())))
            for uuid, of, places in batch
        ]
        save(warehouse, *answers, now=now)
        said = {(uuid, day): value for uuid, of, _ in batch for day, value in of.items()}
        values |= {key: (value, now) for key, value in said.items() if key not in values or values[key][0] != value}
        for uuid, _, places in batch:
            for day, of_day in places.items():
                for kind in {not place[2] for place in of_day}:
                    located[uuid, day, kind] = {at: value for at, value in of_day.items() if (not at[2]) == kind}
    rows = [(uuid, *NAMES, *rest) for (uuid, day), (value, now) in values.items() for rest in [(day, value, now)]]
    geo = [(uuid, *NAMES, day, *at, value) for (uuid, day, _), of in located.items() for at, value in of.items()]
    assert stored(warehouse, s.artist_audience) == sorted(rows)
    assert stored(warehouse, s.artist_audience_geo) == sorted(geo)
    # Whole rows of the views come another way into the tables, and find nothing to change.
    with warehouse.write() as conn:
        assert merge_audience(conn, s.artist_audience, rows) + merge_audience(conn, s.artist_audience_geo, geo) == 0


@pytest.mark.parametrize("before", [[], [(DAY, 1)], [(DAY, 2)], [(DAY, 3)], [(DAY - timedelta(days=1), 0)]])
def test_two_values_of_one_day_are_refused_and_nothing_is_saved_and_the_same_twice_is_one(
    warehouse: Warehouse, before: Sequence[tuple[date, int]]
) -> None:
    save(warehouse, ("a", points(*before)))
    with pytest.raises(RowsLost, match="two rows for points have the same series_id, day"):
        save(warehouse, ("a", points((DAY, 1), (date.min, 5), (DAY, 2))))
    assert [row[3:5] for row in stored(warehouse, s.artist_audience)] == list(before)
    save(warehouse, ("a", points((DAY, 1), (date.min, 5), (DAY, 1))))
    expected = dict(before) | {DAY: 1, date.min: 5}
    assert [row[3:5] for row in stored(warehouse, s.artist_audience)] == sorted(expected.items())


@pytest.mark.parametrize("before", [{}, {PARIS: 1}, {PARIS: 2}, {PARIS: 3}])
def test_two_values_of_one_place_on_one_day_are_refused_and_the_same_twice_is_one(
    warehouse: Warehouse, before: dict[Place, int]
) -> None:
    def saved(*values: dict[Place, int]) -> list[tuple[Any, ...]]:
        if any(values):
            save(warehouse, ("a", Series((), tuple(LocatedDay(DAY, of_day) for of_day in values))))
        return [row[4:] for row in stored(warehouse, s.artist_audience_geo)]

    there = saved(before)
    with pytest.raises(RowsLost, match="two rows for located_points have the same series_id, day, place_id"):
        saved({PARIS: 1, LYON: 4}, {PARIS: 2})
    assert saved() == there
    assert saved({PARIS: 1, LYON: 4}, {PARIS: 1}) == [(*LYON, 4), (*PARIS, 1)]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_that_no_column_holds_is_refused_and_nothing_is_saved(warehouse: Warehouse, value: int) -> None:
    with pytest.raises(ValueOutOfRange):
        save(warehouse, ("a", points((DAY, 1))), ("b", points((DAY, value))))
    assert stored(warehouse, s.artist_audience) == []


def test_more_places_than_are_sent_at_once_are_saved_whole_and_compared(warehouse: Warehouse) -> None:
    places = {("US", "", f"City {n:05}"): n for n in range(PART + 5)}
    changed = {place: -value if value % 2 else value for place, value in places.items()}
    for values in (places, places, changed, dict(list(changed.items())[5:])):
        save(warehouse, ("a", Series((), (LocatedDay(DAY, values),))))
        assert [row[4:] for row in stored(warehouse, s.artist_audience_geo)] == [
            (*place, value) for place, value in values.items()
        ]


def test_two_that_save_the_same_in_another_order_do_not_wait_for_each_other(postgres_url: str) -> None:
    names, days = [f"artist {n}" for n in range(40)], [DAY - timedelta(days=n) for n in range(10)]
    with closing(Warehouse(postgres_url)) as warehouse:
        warehouse.prepare()
        together = Barrier(2)

        def save_all(backwards: bool) -> None:
            try:
                for number in range(20):
                    # Known days with a new value, and one more that is new to both.
                    known = [*days, DAY + timedelta(days=number + 1)]
                    answers = [(name, points(*((day, number) for day in known))) for name in names]
                    together.wait()
                    save(warehouse, *(reversed(answers) if backwards else answers))
            except BaseException:
                together.abort()
                raise

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(save_all, (False, True)))
        assert len(stored(warehouse, s.artist_audience)) == len(names) * (len(days) + 20)


def test_a_key_that_somebody_else_saves_meanwhile_makes_no_two_wait_for_each_other(postgres_url: str) -> None:
    def save_of(*series: int) -> None:
        with warehouse.write() as conn:
            save_points(conn, series, [DAY] * len(series), series, NOW)

    with closing(Warehouse(postgres_url)) as warehouse:
        with warehouse.write() as conn:
            save_points(conn, [1], [DAY], [0], NOW)
        with ThreadPoolExecutor(2) as pool:
            with warehouse.write() as conn:
                save_points(conn, [9], [DAY], [9], NOW)
                savers = []
                # The second has a key less: it would change the first while the other waits for the last.
                for waiting, series in enumerate([(1, 5, 9), (1, 5)], start=1):
                    savers.append(pool.submit(save_of, *series))
                    while conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) < waiting:
                        pass
            for saver in savers:
                saver.result()
        with warehouse.read() as conn:
            assert list(conn.scalars(select(audience.points.c.value).order_by(audience.points.c.series_id))) == [
                1,
                5,
                9,
            ]
