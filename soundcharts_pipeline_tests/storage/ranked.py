"""Rankings and tracks as the sync would save them, a few words long."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from soundcharts_pipeline.models import (
    ArtistRef,
    Chart,
    Genre,
    PublishedRanking,
    Ranking,
    RankingEntry,
    Track,
    TrackRef,
)
from soundcharts_pipeline.storage.saves import save_ranking, save_tracks
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GLOBAL = Chart(slug="global-28", name="Global 200", platform="spotify", frequency="daily")
WEEKLY = Chart(slug="weekly", name="A weekly one", platform="shazam", frequency="weekly")


def day(ago: int) -> date:
    return NOW.date() - timedelta(days=ago)


def rank(
    warehouse: Warehouse,
    ago: int,
    *tracks: str,
    chart: Chart = GLOBAL,
    olds: Sequence[int | None] = (),
    changes: Sequence[int | None] = (),
    times: Sequence[int] = (),
) -> None:
    """Save a ranking of these tracks, the first place first, with what the API tells of each, if anything."""
    entries = tuple(
        RankingEntry(
            position=position,
            track=TrackRef(uuid=name, name=f"Song {name}", credit_name="Some credit"),
            old_position=olds[position - 1] if olds else None,
            metric=1000 - position,
            position_change=changes[position - 1] if changes else None,
            time_on_chart=times[position - 1] if times else None,
            time_on_chart_unit="DOC",
        )
        for position, name in enumerate(tracks, 1)
    )
    ranking = Ranking(chart=chart, day=day(ago), metric_type="streams", entries=entries)
    with warehouse.write() as conn:
        save_ranking(conn, ranking, PublishedRanking(day(ago), str(day(ago))), NOW)


def track(uuid: str, *artists: str, featured: Sequence[str] = ()) -> Track:
    refs = {name: ArtistRef(uuid=name, name=f"Artist {name}") for name in (*artists, *featured)}
    return Track(
        uuid=uuid,
        name=f"Song {uuid}",
        isrc="USUM71900764",
        labels=[{"name": "Some Label", "type": "Major"}],
        composers=[],
        producers=[],
        iswcs=[],
        artists=tuple(refs.values()),
        main_artists=tuple(refs[name] for name in artists),
        featured_artists=tuple(refs[name] for name in featured),
        genres=(Genre(root="pop", subs=("art pop", "electropop")), Genre(root="rock")),
    )


def save(warehouse: Warehouse, *tracks: Track) -> None:
    with warehouse.write() as conn:
        save_tracks(conn, tracks, artists=True, genres=True, now=NOW)
