"""What a chart in charts.yaml may say: each key with its meaning, what it does to the calls, and how its value is read.

The one description of the keys. The file's own checks, the forms of the dashboard and the table of docs/charts.md are
made of it; the defaults are those of `settings.ChartSettings`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Literal, get_args

from soundcharts_pipeline.clock import last_ranking_day
from soundcharts_pipeline.config import yaml_nodes
from soundcharts_pipeline.config.value_readers import Reader, as_schedule, as_timezone
from soundcharts_pipeline.config.yaml_nodes import Entry, Mistake

# fmt: off
TRACK_AUDIENCE_PLATFORMS = (
    "spotify", "youtube", "shazam", "airplay", "tiktok", "instagram", "soundcloud", "audiomack",
    "jiosaavn", "anghami", "lastfm", "gaana", "melon", "genius", "line-music", "awa",
)
ARTIST_AUDIENCE_PLATFORMS = (
    "spotify", "youtube", "instagram", "tiktok", "facebook", "twitter", "soundcloud", "deezer",
    "bandsintown", "songkick", "boomplay", "audiomack", "tidal", "genius", "lastfm", "napster",
    "wikipedia", "pandora", "anghami", "jiosaavn", "gaana", "melon", "line-music", "yandex", "joox",
    "awa", "weibo", "mixcloud", "patreon", "triller", "kugou",
)
# fmt: on

AirplaySource = Literal["broadcasts", "broadcast-groups"]
Kind = Literal["text", "schedule", "timezone", "day", "number", "flag", "choice", "platforms"]

MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartKey:
    """One key. `meaning` and `cost` are for people (commands and values in backticks); `cost` is '' where the key makes
    no difference to the calls. `choices` are the words that a choice or a list of platforms may take."""

    name: str
    kind: Kind
    meaning: str
    cost: str = ""
    read: Reader
    choices: tuple[str, ...] = ()


def _flag(name: str, meaning: str, cost: str = "") -> ChartKey:
    return ChartKey(name=name, kind="flag", meaning=meaning, cost=cost, read=yaml_nodes.as_flag)


def _number(name: str, meaning: str, cost: str = "", *, least: int, example: int) -> ChartKey:
    read = days(least=least, example=example)
    return ChartKey(name=name, kind="number", meaning=meaning, cost=cost, read=read)


def _platforms(name: str, known: tuple[str, ...], entity: str, cost: str) -> ChartKey:
    read = partial(yaml_nodes.as_words, known=known, what=f"{entity} audience platform")
    meaning = f"platforms of the {entity} audience"
    return ChartKey(name=name, kind="platforms", meaning=meaning, cost=cost, read=read, choices=known)


def days(*, least: int, example: int) -> Callable[[Entry], int]:
    """The reader of a number of days or hours."""
    return partial(yaml_nodes.as_whole_number, least=least, most=MOST_DAYS, example=example)


NAME = ChartKey(
    name="name",
    kind="text",
    meaning="what people read; on a chart only",
    read=yaml_nodes.as_text,
)
# What may stand on a chart and under `defaults`.
KEYS = (
    _flag(
        "active",
        "`false`: the schedule is off, the healing sensor leaves the chart alone, no freshness is watched. Launching "
        "it by hand still works",
        "`false`: none but of what is launched by hand",
    ),
    ChartKey(
        name="schedule",
        kind="schedule",
        meaning="when to look for new rankings: a cron string, `hourly`, `every 6 hours`, `daily at 06:00` or "
        "`weekly on monday at 06:00`",
        cost="1 a tick, whether there is news or not",
        read=as_schedule,
    ),
    ChartKey(
        name="timezone",
        kind="timezone",
        meaning="of the schedule, such as `Europe/Paris`",
        read=as_timezone,
    ),
    ChartKey(
        name="first_date",
        kind="day",
        meaning="the oldest day that is synced; at most a week ahead, for no ranking is dated later",
        cost="every published day since then is fetched, with all that is below it",
        read=yaml_nodes.as_date,
    ),
    _flag(
        "sync_history",
        "`true`: every published ranking since `first_date`; `false`: the newest one at each tick",
        "`false`: those of one day a tick",
    ),
    _flag(
        "fetch_track_metadata",
        "`false`: no metadata, so no artist is known either and nothing of artists runs",
        "1 per 10 tracks that are new or stale",
    ),
    _flag(
        "auto_trigger_cascade",
        "`false`: the schedule syncs the ranking and its tracks' metadata alone, and the cascade sensor leaves the "
        "chart alone",
        "`false`: none for artists and audience until somebody launches them",
    ),
    _flag(
        "auto_extract_artists",
        "save who is credited on a track; `false` leaves out every artist asset",
        "`false`: none for artists",
    ),
    _flag("auto_extract_genres", "save the genres of tracks and artists"),
    _flag(
        "trigger_artist_metadata",
        "fetch the artists' metadata; `false` leaves out `artist_metadata`, artists keep the name from the credit",
        "1 per 10 artists that are new or stale",
    ),
    _flag("trigger_audience_fetch", "`false` leaves out every audience asset", "`false`: none for audience"),
    _platforms(
        "track_audience_platforms",
        TRACK_AUDIENCE_PLATFORMS,
        "track",
        "each: 1 per track and window of 90 days; `airplay`: 1 per track and day",
    ),
    _platforms(
        "artist_audience_platforms",
        ARTIST_AUDIENCE_PLATFORMS,
        "artist",
        "each: 1 per artist and window of 90 days; `spotify` and `youtube`: 2",
    ),
    _number(
        "history_days",
        "days of audience that end on the chart's day",
        "up to 90 are 1 per series; each further 90 are 1 more",
        least=1,
        example=90,
    ),
    _number(
        "follow_days",
        "keep following a track, and its artists, this long after it left the chart",
        "the series of the tracks that left, and of their artists",
        least=0,
        example=14,
    ),
    _number(
        "recheck_hours",
        "the same question is not asked again sooner",
        "fewer hours: more of the same questions",
        least=0,
        example=12,
    ),
    _number(
        "metadata_refresh_days",
        "ask again for metadata, absent accounts and days without a ranking after this long",
        "fewer days: more metadata",
        least=1,
        example=30,
    ),
    _number(
        "heal_days",
        "how far back the healing sensor looks for missing days, and rankings are fetched that were published again",
        "those of the days that were missing",
        least=0,
        example=14,
    ),
    _flag(
        "refresh_rankings",
        "fetch a ranking once more when it is published again; `false`: the first version stays",
        "1 per 100 places of a ranking that was published again",
    ),
    _flag(
        "report",
        "a run that fetches also writes the workbook of its newest day; `false`: only a launch of `chart_report` alone "
        "does",
    ),
    ChartKey(
        name="airplay_source",
        kind="choice",
        meaning="`broadcasts`: the announced number of plays; `broadcast-groups`: the sum over radio stations",
        cost="`broadcasts`: 1 per track and day; `broadcast-groups`: 1 per 100 stations, track and day",
        read=partial(yaml_nodes.as_choice, choices=get_args(AirplaySource)),
        choices=get_args(AirplaySource),
    ),
)


def text_of(value: object) -> str:
    """A value as a person writes it: `true`, `2026-01-31`, `spotify, youtube`."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


def readers(now: datetime) -> Mapping[str, Reader]:
    """How the values of the keys that may stand on a chart and under `defaults` are read at this moment."""
    return {key.name: key.read for key in KEYS} | {"first_date": partial(_as_first_date, now=now)}


def _as_first_date(entry: Entry, *, now: datetime) -> date:
    """A day of which there may be a ranking by now: with one still to come the chart would wait without a word."""
    day, latest = yaml_nodes.as_date(entry), last_ranking_day(now)
    if day > latest:
        problem = f"first_date is '{day}', today is {now.date()}, and no ranking is dated after {latest} yet"
        raise Mistake(entry.line, problem, f"write 'first_date: {now.date()}', or an earlier day")
    return day
