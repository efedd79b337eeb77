"""What many chart-days need at least, counted in the simulator's world without double over charts."""

from collections.abc import Sequence
from datetime import date
from math import ceil

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import artist_metrics
from soundcharts_pipeline.simulator import World
from soundcharts_pipeline.simulator.world.accounts import Account


def fewest_calls(world: World, slugs: Sequence[str], settings: ChartSettings, days: Sequence[date]) -> int:
    """Questions that can bring something new on the last of these days, which are few and follow each other: of each
    chart its list of days and its ranking; of all tracks and artists together the metadata of those that are new, by
    tens, and one window of each series, less those of known ones that were found to be empty. `settings` are those of
    all charts."""
    tracks = [_tracks(world, slugs, day) for day in days]
    artists = [_artists(world, of_day) for of_day in tracks]
    old_tracks, old_artists = set[str]().union(*tracks[:-1]), set[str]().union(*artists[:-1])
    return (
        len(slugs)
        + sum(ceil(len(world.ranking(slug, days[-1]).entries) / 100) for slug in slugs)
        + ceil(len(tracks[-1] - old_tracks) / 10)
        + ceil(len(artists[-1] - old_artists) / 10)
        + sum(_of_track(world, settings, uuid, known=uuid in old_tracks) for uuid in old_tracks | tracks[-1])
        + sum(_of_artist(world, settings, uuid, known=uuid in old_artists) for uuid in old_artists | artists[-1])
    )


def places(world: World, slugs: Sequence[str], day: date) -> int:
    """Places of all charts together."""
    return sum(len(world.ranking(slug, day).entries) for slug in slugs)


def _tracks(world: World, slugs: Sequence[str], day: date) -> set[str]:
    return {entry.track.uuid for slug in slugs for entry in world.ranking(slug, day).entries}


def _artists(world: World, tracks: set[str]) -> set[str]:
    found = [track for uuid in tracks if (track := world.track(uuid))]
    return {artist.uuid for track in found for artist in track.artists}


def _of_track(world: World, settings: ChartSettings, uuid: str, *, known: bool) -> int:
    platforms = settings.track_audience_platforms
    # Of radio plays every day is a question of its own, and each has an answer.
    return sum(not known or p == "airplay" or isinstance(world.track_account(uuid, p), Account) for p in platforms)


def _of_artist(world: World, settings: ChartSettings, uuid: str, *, known: bool) -> int:
    series = [(p, metric) for p in settings.artist_audience_platforms for metric in artist_metrics(p)]
    accounts = [
        (world.followers_account if metric == "followers" else world.streaming_account)(uuid, p) for p, metric in series
    ]
    return sum(not known or isinstance(account, Account) for account in accounts)
