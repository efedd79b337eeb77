"""Points: numbers inside, the promised rows outside, each in a month that is there before it comes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import Connection, TextClause, create_engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

from soundcharts_pipeline.models import AudiencePoint, LocatedDay, Place, Series
from soundcharts_pipeline.storage.errors import MonthDetached
from soundcharts_pipeline.storage.points import place_ids, remove_audience
from soundcharts_pipeline.storage.saves import SeriesAnswer, save_series
from soundcharts_pipeline.storage.tables import audience, months
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime(2026, 11, 23, 3, 0, 59, 999_999, tzinfo=UTC)
DAY = date(2026, 11, 22)


def save(warehouse: Warehouse, uuid: str, *points: tuple[date, int], now: datetime = NOW) -> int:
    answer = SeriesAnswer(uuid, Series(tuple(AudiencePoint(day, "id", value) for day, value in points)), ())
    with warehouse.write() as conn:
        return save_series(conn, "track", "spotify", "streams", [answer], now)


@pytest.fixture
def on_postgresql(postgres_url: str) -> Iterator[Warehouse]:
    with closing(Warehouse(postgres_url)) as warehouse:
        warehouse.prepare()
        yield warehouse


def test_a_series_and_a_place_are_stored_once(warehouse: Warehouse) -> None:
    places = [LocatedDay(DAY - timedelta(days=n), {("FR", "", city): n for city in ("", "Paris\0")}) for n in range(3)]
    answers = [SeriesAnswer(f"artist-{n}", Series((AudiencePoint(DAY, "", 1),), tuple(places)), ()) for n in range(2)]
    for _ in range(2):
        with warehouse.write() as conn:
            save_series(conn, "artist", "youtube", "views", answers, NOW)
    with warehouse.read() as conn:
        sizes = [len(conn.execute(select(t)).all()) for t in (audience.series, audience.places, audience.points)]
        located = conn.execute(select(s.artist_audience_geo).order_by(*s.artist_audience_geo.primary_key)).all()
    assert sizes == [2, 2, 2]
    assert located[:2] == [
        ("artist-0", "youtube", "views", DAY - timedelta(days=2), "FR", "", city, 2) for city in ("", "Paris")
    ]
    assert len(located) == 12


def test_the_cities_of_a_day_are_those_of_the_newest_answer_and_its_countries_too(warehouse: Warehouse) -> None:
    def save_places(*days: dict[Place, int]) -> set[tuple[str, str, int]]:
        answers = [SeriesAnswer("artist", Series((), (LocatedDay(DAY, places),)), ()) for places in days]
        with warehouse.write() as conn:
            save_series(conn, "artist", "spotify", "monthly_listeners", answers, NOW)
            found = select(*(s.artist_audience_geo.c[name] for name in ("country_code", "city_name", "value")))
            return {(row[0], row[1], row[2]) for row in conn.execute(found.where(s.artist_audience_geo.c.date == DAY))}

    before = LocatedDay(DAY - timedelta(days=1), {("US", "", "Los Angeles"): 5})
    with warehouse.write() as conn:
        save_series(
            conn, "artist", "spotify", "monthly_listeners", [SeriesAnswer("artist", Series((), (before,)), ())], NOW
        )
    assert save_places({("US", "", "Los Angeles"): 60}) == {("US", "Los Angeles", 60)}
    assert save_places({("US", "", ""): 60}) == {("US", "Los Angeles", 60), ("US", "", 60)}
    assert save_places({("US", "", "San Diego"): 50}) == {("US", "San Diego", 50), ("US", "", 60)}
    assert save_places({("US", "", "Reno"): 1}, {("US", "", "Ojai"): 2}) == {("US", "Ojai", 2), ("US", "", 60)}
    with warehouse.read() as conn:
        assert len(conn.execute(select(s.artist_audience_geo)).all()) == 3  # the day before kept its own


def test_a_moment_is_kept_to_the_second_and_stays_until_the_value_changes(warehouse: Warehouse) -> None:
    save(warehouse, "a", (DAY, 1), (DAY - timedelta(days=1), 0))
    save(warehouse, "a", (DAY, 2), (DAY - timedelta(days=1), 0), now=NOW + timedelta(days=1))
    with warehouse.read() as conn:
        found = conn.execute(select(s.track_audience.c.value, s.track_audience.c.fetched_at).order_by("value")).all()
    second = NOW.replace(microsecond=0)
    assert found == [(0, second), (2, second + timedelta(days=1))]


def test_rows_of_unknown_series_are_none_to_remove(warehouse: Warehouse) -> None:
    save(warehouse, "a", (DAY, 1))
    with warehouse.write() as conn:
        gone = remove_audience(conn, s.track_audience, [("b", "spotify", "streams", "id", DAY, 1, NOW)])
    with warehouse.read() as conn:
        assert (gone, len(conn.execute(select(audience.series)).all())) == (0, 1)


@pytest.mark.parametrize("source", [*audience.POINTS.values(), audience.LOCATED], ids=lambda source: source.name)
def test_a_span_of_days_reads_that_span_of_a_series_alone(sqlite_warehouse: Warehouse, source: object) -> None:
    columns = source.c  # type: ignore[attr-defined]
    query = select(columns.value).where(columns[0] == "a", columns.platform == "x", columns.date.between(DAY, DAY))
    with sqlite_warehouse.read() as conn:
        sql = query.compile(conn, compile_kwargs={"literal_binds": False})
        steps = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(sql.params.values()))]
    assert any("(series_id=? AND day>? AND day<?)" in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps


def test_every_month_is_made_before_its_first_point_and_the_next_one_ahead(on_postgresql: Warehouse) -> None:
    save(on_postgresql, "a", (date(2019, 2, 28), 1), (date(2026, 12, 31), 2))
    with on_postgresql.read() as conn:
        assert months.made(conn, "points") == {"points_2019_02", "points_2026_12", "points_2027_01"}
        assert conn.scalar(text("SELECT value FROM points_2019_02")) == 1


def save_and_fail(conn: Connection) -> None:
    answer = SeriesAnswer("a", Series((AudiencePoint(DAY, "", 1),)), ())
    save_series(conn, "track", "spotify", "streams", [answer], NOW)
    conn.execute(text("SELECT nonsense"))


def test_a_month_stays_where_a_save_that_needed_it_fails(on_postgresql: Warehouse) -> None:
    with pytest.raises(DBAPIError), on_postgresql.write() as conn:
        save_and_fail(conn)
    with on_postgresql.read() as conn:
        assert months.made(conn, "points") == {"points_2026_11", "points_2026_12"}
        assert conn.execute(select(audience.points)).all() == []


def test_an_old_month_can_be_detached_and_attached_again(on_postgresql: Warehouse) -> None:
    save(on_postgresql, "a", (date(2019, 2, 28), 1), (DAY, 2))
    values = select(s.track_audience.c.value)
    with on_postgresql.write() as conn:
        conn.execute(text("ALTER TABLE points DETACH PARTITION points_2019_02"))
        assert conn.scalars(values).all() == [2]
        conn.execute(
            text("ALTER TABLE points ATTACH PARTITION points_2019_02 FOR VALUES FROM ('2019-02-01') TO ('2019-03-01')")
        )
        assert set(conn.scalars(values)) == {1, 2}


@pytest.mark.parametrize("table", ["points", "located_points"])
def test_a_save_into_a_month_that_was_taken_out_says_how_to_put_it_back(on_postgresql: Warehouse, table: str) -> None:
    located = LocatedDay(date(2019, 2, 28), {("GB", "", "London"): 3})
    answer = SeriesAnswer("a", Series((AudiencePoint(date(2019, 2, 28), "", 1),), (located,)), ())
    with on_postgresql.write() as conn:
        save_series(conn, "artist", "spotify", "monthly_listeners", [answer], NOW)
        conn.execute(text(f"ALTER TABLE {table} DETACH PARTITION {table}_2019_02"))
        conn.execute(text("TRUNCATE points, located_points"))
    remedy = f"ALTER TABLE {table} ATTACH PARTITION {table}_2019_02 FOR VALUES FROM ('2019-02-01') TO ('2019-03-01')"
    with pytest.raises(MonthDetached, match="taken out") as raised, on_postgresql.write() as conn:
        save_series(conn, "artist", "spotify", "monthly_listeners", [answer], NOW)
    assert remedy in str(raised.value)
    with on_postgresql.write() as conn:
        conn.execute(text(remedy))
        save_series(conn, "artist", "spotify", "monthly_listeners", [answer], NOW)


def test_who_may_not_insert_may_make_no_month_and_who_may_makes_nothing_else(on_postgresql: Warehouse) -> None:
    with on_postgresql.write() as conn:
        for role, right in (("saver_of_months", "SELECT, INSERT"), ("reader_of_months", "SELECT")):
            conn.execute(text(f"DROP ROLE IF EXISTS {role}"))
            conn.execute(text(f"CREATE ROLE {role} LOGIN"))
            conn.execute(text(f"GRANT {right} ON points TO {role}"))
    made = "SELECT soundcharts_make_month('points', '2020-05-01')"
    for role, statement, said in (
        ("reader_of_months", made, "permission denied for table points"),
        ("saver_of_months", made, None),
        ("saver_of_months", "SELECT soundcharts_make_month('points', '2020-05-02')", "is no month of points"),
        ("saver_of_months", "SELECT soundcharts_make_month('tracks', '2020-05-01')", "is no month of points"),
    ):
        engine = create_engine(on_postgresql.url.set(username=role))
        if said is None:
            with engine.begin() as conn:
                conn.execute(text(statement))
        else:
            with pytest.raises(DBAPIError, match=said), engine.begin() as conn:
                conn.execute(text(statement))
        engine.dispose()
    with on_postgresql.write() as conn:
        assert "points_2020_05" in inspect(conn).get_table_names()
        for role in ("saver_of_months", "reader_of_months"):
            conn.execute(text(f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_two_saves_that_need_the_same_new_places_in_another_order_do_not_wait_for_each_other(
    on_postgresql: Warehouse,
) -> None:
    here, there = ("AA", "", "here"), ("BB", "", "there")
    both_have_one = Barrier(2)

    def save_both(first: Place, then: Place) -> set[int]:
        with on_postgresql.write() as conn:
            found = place_ids(conn, [first])
            both_have_one.wait()
            return {*found.values(), *place_ids(conn, [then]).values()}

    with ThreadPoolExecutor(2) as pool:
        numbers = list(pool.map(save_both, (here, there), (there, here)))
    assert numbers == [{1, 2}, {1, 2}]


def _scalar(warehouse: Warehouse, query: TextClause) -> object:
    with warehouse.read() as conn:
        return conn.scalar(query)


def test_points_that_another_process_saves_meanwhile_are_compared_with_all_the_same(on_postgresql: Warehouse) -> None:
    days = [(DAY - timedelta(days=n), n) for n in range(3)]
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    save(on_postgresql, "a", days[0])
    with ThreadPoolExecutor(1) as pool, on_postgresql.write() as first:
        answer = SeriesAnswer("a", Series(tuple(AudiencePoint(day, "id", value) for day, value in days)), ())
        save_series(first, "track", "spotify", "streams", [answer], NOW)
        second = pool.submit(save, on_postgresql, "a", *((day, value + 10 * value) for day, value in days))
        while not _scalar(on_postgresql, waiting):
            assert not second.done()
        first.commit()
        second.result()
    with on_postgresql.read() as conn:
        found = conn.execute(select(s.track_audience.c.value).order_by(s.track_audience.c.date.desc())).all()
    assert [value for (value,) in found] == [0, 11, 22]
