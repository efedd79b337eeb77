"""Lists of more than one page, as the API gives their rows, and the methods that ask for them."""

from collections.abc import Callable
from datetime import date
from typing import Any

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.models import PublishedRanking

from .calling import BAD_GUY
from .recorded import payload

TOTAL = 130
RELATED = payload("ranking")["related"]
NOON = PublishedRanking(date(2026, 5, 29), RELATED["date"])

Row = Callable[[int, int], dict[str, Any]]
Ask = Callable[[SoundchartsClient], Any]


def entry(number: int, page: int) -> dict[str, Any]:
    return {"song": {"uuid": f"track-{number}", "name": "x"}, "position": number, "metric": 1000 + page}


def chart(number: int, page: int) -> dict[str, Any]:
    return {"slug": f"chart-{number}", "name": f"as of page {page}", "platform": "spotify"}


def station(number: int, page: int) -> dict[str, Any]:
    return {"radio": {"slug": f"station-{number}"}, "playCount": number + page}


LISTS: list[tuple[Row, Ask, Callable[[Any], int]]] = [
    (entry, lambda c: c.ranking(NOON, "global-28"), lambda ranking: len(ranking.entries)),
    (chart, lambda c: c.charts("spotify"), len),
    (station, lambda c: c.spins_by_station(BAD_GUY, NOON.day), lambda plays: TOTAL if plays > 8_000 else 0),
]
