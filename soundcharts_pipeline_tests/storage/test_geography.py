"""Where audiences are, on both databases; every value was worked out by hand."""

from datetime import date

from soundcharts_pipeline.models import Artist
from soundcharts_pipeline.storage.queries.geography import Located, located, located_artists
from soundcharts_pipeline.storage.saves import save_artists
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.rows import put as insert_rows

from .ranked import NOW, day, rank, save, track

PLACE = {"platform": "spotify", "metric": "monthly_listeners", "region": "", "city_name": ""}


def put(warehouse: Warehouse, on: date, artist: str, *places: tuple[str, str, str, int], **series: str) -> None:
    """Places as country, region, city and value."""
    names = ("country_code", "region", "city_name", "value")
    rows = [
        {**PLACE, **series, "artist_uuid": artist, "date": on, **dict(zip(names, place, strict=True))}
        for place in places
    ]
    with warehouse.write() as conn:
        insert_rows(conn, s.artist_audience_geo, rows)


def test_places_are_those_of_the_newest_located_day_of_each_series_largest_first(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        save_artists(conn, [Artist(uuid="x", name="Artist x")], genres=False, now=NOW)
    put(warehouse, day(9), "x", ("US", "", "", 99))
    put(
        warehouse,
        *(day(2), "x", ("US", "", "", 5), ("FR", "", "", 7), ("FR", "", "Paris", 7)),
        *(("US", "Texas", "Paris", 2), ("US", "Maine", "Portland", 1), ("US", "Oregon", "Portland", 2)),
    )
    put(warehouse, day(30), "x", ("DE", "", "", 3), platform="tiktok", metric="followers")

    with warehouse.read() as conn:
        found = located(conn, "x")
        assert located(conn, "x", platform="tiktok") == found[1:]
        assert located(conn, "nobody") == []

    cities = [("Paris, FR", 7), ("Portland, Oregon, US", 2), ("Paris, US", 2), ("Portland, Maine, US", 1)]
    spotify, tiktok = found
    assert spotify[:5] == ("Artist x", "spotify", "monthly_listeners", day(2), [("FR", 7), ("US", 5)])
    assert sorted(spotify.cities) == sorted(cities)
    assert [value for _, value in spotify.cities] == [7, 2, 2, 1]
    assert tiktok == Located("Artist x", "tiktok", "followers", day(30), [("DE", 3)], [])


def test_of_a_chart_the_best_placed_artists_that_have_places_are_told(warehouse: Warehouse) -> None:
    rank(warehouse, 1, "a", "b", "c", "d", "e")
    save(warehouse, *(track(name, f"of-{name}") for name in "abcde"))
    for name in "edcb":
        put(warehouse, day(3), f"of-{name}", ("US", "", "", 1))
    put(warehouse, day(3), "of-a", ("US", "", "", 1), platform="tiktok")

    with warehouse.read() as conn:
        spotify = located_artists(conn, "global-28", day(1), "spotify")
        tiktok = located_artists(conn, "global-28", day(1), "tiktok")
        assert located_artists(conn, "global-28", day(1), "youtube") == []

    assert [one.artist for one in spotify] == ["Artist of-b", "Artist of-c", "Artist of-d"]
    assert [one.artist for one in tiktok] == ["Artist of-a"]
