"""The truth: the same for a seed everywhere, and a catalog worth syncing."""

import json
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta

from soundcharts_pipeline.simulator import World

from .asking import BAD_GUY, BILLIE, TONES

TODAY = date(2026, 11, 21)
FINGERPRINT = """
import json, sys
from datetime import date
from soundcharts_pipeline.simulator import World
world = World(7, date(2026, 11, 21))
slugs = sys.argv[1:]
days = date(2026, 8, 1), date(2026, 8, 9)
seen = {slug: [entry.track.uuid for entry in world.ranking(slug, date(2026, 8, 7)).entries] for slug in slugs}
first = seen[sorted(seen)[0]][0]
seen["streams"] = str(world.track_series(first, "spotify", *days))
seen["followers"] = str(world.artist_followers(world.catalog.artist_uuids[5], "instagram", *days))
seen["spins"] = world.spins(first, days[0])
print(json.dumps(seen, sort_keys=True))
"""


def _in_another_process(*slugs: str) -> str:
    command = [sys.executable, "-c", FINGERPRINT, *slugs]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_two_processes_see_the_same_world_whatever_they_ask_first() -> None:
    one = _in_another_process("global-28", "tiktok-weekly-songs")
    other = _in_another_process("tiktok-weekly-songs", "global-28")

    assert one == other
    assert len(json.loads(one)["global-28"]) == 200


def test_another_seed_is_another_world() -> None:
    day = date(2026, 11, 1)
    one, other = (World(seed, TODAY).ranking("global-28", day) for seed in (1, 2))

    assert one.entries != other.entries


def test_the_date_of_asking_changes_what_is_published_and_no_value() -> None:
    day, end = date(2026, 6, 1), date(2026, 6, 30)
    early, late = World(1, date(2026, 7, 1)), World(1, date(2027, 3, 1))

    assert early.ranking("global-28", day) == late.ranking("global-28", day)
    assert early.spins(BAD_GUY, day) == late.spins(BAD_GUY, day)
    before, after = (world.track_series(BAD_GUY, "spotify", day, end) for world in (early, late))
    assert before is not None
    assert after is not None
    assert set(before) < set(after)


def test_without_a_date_the_world_lives_today() -> None:
    newest = World(1).published_days("global-28")[0].day

    assert date.today() - newest <= timedelta(days=2)  # noqa: DTZ011 (a day of tolerance covers the zone)


def test_the_sandbox_entities_exist() -> None:
    world = World(3, TODAY)
    track, artist, other = world.track(BAD_GUY), world.artist(BILLIE), world.artist(TONES)

    assert track is not None
    assert (track.name, track.credit_name) == ("bad guy", "Billie Eilish")
    assert [one.uuid for one in track.artists] == [BILLIE]
    assert artist is not None
    assert artist.name == "Billie Eilish"
    assert other is not None
    assert other.name == "Tones and I"
    assert BAD_GUY in {entry.track.uuid for entry in world.ranking("global-28", date(2026, 5, 29)).entries}


def test_the_catalog_has_the_promised_charts() -> None:
    charts = {chart.slug: chart for chart in World(1, TODAY).charts()}
    sizes = {
        "global-28": ("spotify", 200),
        "top-songs-29": ("spotify", 200),
        "airplay-daily": ("airplay", 100),
        "top-100-global": ("apple-music", 100),
        "shazam-top-200-world": ("shazam", 200),
        "tiktok-weekly-songs": ("tiktok", 50),
        "youtube-top-songs-global": ("youtube", 100),
        "deezer-top-worldwide": ("deezer", 100),
        "soundcloud-top-1000": ("soundcloud", 1000),
        "viral-50-global": ("spotify", 50),
    }

    assert {slug: (charts[slug].platform, charts[slug].max_results) for slug in sizes} == sizes
    assert charts["top-songs-29"].country_code == "IN"
    assert charts["tiktok-weekly-songs"].frequency == "weekly"
    per_platform = Counter(chart.platform for chart in charts.values())
    assert len(per_platform) >= 8
    assert max(per_platform.values()) > 100


def test_tracks_share_artists_and_carry_whole_records() -> None:
    world = World(1, TODAY)
    tracks = [world.track(entry.track.uuid) for entry in world.ranking("global-28", date(2026, 11, 20)).entries]
    known = [track for track in tracks if track is not None]
    artists = Counter(artist.uuid for track in known for artist in track.artists)

    assert len(known) == 200
    assert max(artists.values()) > 3
    assert any(track.featured_artists for track in known)
    assert all(track.isrc and track.audio_features and track.genres and track.labels for track in known)
    assert all(track.release_date and track.release_date <= date(2026, 11, 20) for track in known)
    careers = {artist.career_stage for uuid in artists if (artist := world.artist(uuid))}
    assert len(careers) >= 3


def test_uuids_isrcs_and_artist_names_are_unique() -> None:
    world = World(1, TODAY)
    catalog = world.catalog
    tracks = [catalog.track(number) for number in range(len(catalog.tracks))]
    artists = [catalog.artist(number) for number in range(len(catalog.artist_uuids))]

    assert len({track.uuid for track in tracks}) == len({track.isrc for track in tracks}) == len(tracks)
    assert len({artist.uuid for artist in artists}) == len({artist.name for artist in artists}) == len(artists)
