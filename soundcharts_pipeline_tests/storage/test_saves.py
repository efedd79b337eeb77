"""Records become rows; what one answer lacks does not take away what another one brought."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select

from soundcharts_pipeline.models import (
    Artist,
    ArtistRef,
    Chart,
    PublishedRanking,
    Ranking,
    RankingEntry,
    Track,
    TrackRef,
)
from soundcharts_pipeline.storage.saves import save_artists, save_ranking, save_tracks
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

DAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNKNOWN: dict[str, Any] = {name: [] for name in ("labels", "composers", "producers", "iswcs")}
SONG, SINGER = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"


def test_metadata_without_an_image_leaves_the_one_that_the_ranking_and_the_credit_brought(warehouse: Warehouse) -> None:
    ref = TrackRef(uuid=SONG, name="A song", credit_name="Somebody", image_url="https://example.test/song.jpg")
    ranking = Ranking(
        chart=Chart(slug="global-28", name="Global", platform="spotify"),
        day=DAY,
        metric_type=None,
        entries=(RankingEntry(position=1, track=ref),),
    )
    image = "https://example.test/artist.jpg"
    credit = ArtistRef(uuid=SINGER, name="Somebody", slug="somebody", image_url=image, app_url="https://example.test/a")
    with warehouse.write() as conn:
        save_ranking(conn, ranking, PublishedRanking(DAY, f"{DAY}T12:00:00+00:00"), NOW)
        song = Track(uuid=SONG, name="A song (Remastered)", artists=(credit,), **UNKNOWN)
        save_tracks(conn, [song], artists=True, genres=True, now=NOW)
        save_artists(conn, [Artist(uuid=SINGER, slug="somebody", name="Some Body")], genres=True, now=NOW)
    t, a = s.tracks.c, s.artists.c
    with warehouse.read() as conn:
        found = conn.execute(select(t.name, t.credit_name, t.image_url)).one()
        assert found == ("A song (Remastered)", "Somebody", "https://example.test/song.jpg")
        singer = conn.execute(select(a.name, a.image_url, a.app_url)).one()
        assert singer == ("Some Body", image, "https://example.test/a")
        assert conn.scalar(select(t.metadata_fetched_at)) == NOW


def test_metadata_with_another_image_replaces_it(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        for image in ("https://example.test/old.jpg", "https://example.test/new.jpg"):
            save_tracks(
                conn, [Track(uuid=SONG, name="A song", image_url=image, **UNKNOWN)], artists=True, genres=True, now=NOW
            )
    with warehouse.read() as conn:
        assert conn.scalar(select(s.tracks.c.image_url)) == "https://example.test/new.jpg"
