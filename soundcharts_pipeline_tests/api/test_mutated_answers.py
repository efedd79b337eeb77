"""Whatever an answer holds: a record stored as the answer says it, a named error, or a named remark.

Never another exception, a question without end or a row gone in silence: through HTTP, the client and the save.
Three thousand bodies, the same ones every time. With `MUTATED_ANSWERS=100000` in the environment so many, and new ones
each time.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.errors import SoundchartsError, UnexpectedPayload
from soundcharts_pipeline.storage.warehouse import Warehouse

from .calling import BAD_GUY, BILLIE, Says, answering, caller_of
from .chart_answers import chart_rows, codes, published_rows, ranking_rows, save_charts, save_published, save_ranking
from .metadata_answers import artist_rows, save_artists, save_tracks, track_rows
from .mutated import as_bytes, as_read, holds_no_number, mutated
from .plain_reading import RANKING, SECOND, WINDOW, ChangedApi, Reading, Row, same
from .recorded import payload
from .series_answers import artist_series_rows, as_is, plays_rows, save_series, track_series_rows

EXAMPLES = os.environ.get("MUTATED_ANSWERS")


class _Undone(Exception):
    """Ends a transaction that is to leave nothing behind."""


@dataclass(frozen=True)
class Endpoint:
    """One question: how it is asked, how its answer is saved and found again, and what must be found.

    `expected` gives the rows that the JSON tells of; None where it tells of nothing that can be told without taste.
    """

    name: str
    ask: Callable[[SoundchartsClient], Any]
    store: Callable[[Connection, Any], list[Row]]
    expected: Callable[[Any, Reading], list[Row] | None]


OF_TRACK, OF_ARTIST = save_series("track", BAD_GUY), save_series("artist", BILLIE)
ENDPOINTS = [
    Endpoint("chart_platforms", lambda c: c.chart_platforms(), as_is, codes),
    Endpoint("charts", lambda c: c.charts("spotify"), save_charts, chart_rows),
    Endpoint("available_rankings", lambda c: list(c.published_rankings("global-28")), save_published, published_rows),
    Endpoint("ranking", lambda c: c.ranking(RANKING, "global-28"), save_ranking, ranking_rows),
    Endpoint("ranking_recorded", lambda c: c.ranking(RANKING, "global-28"), save_ranking, ranking_rows),
    Endpoint("track", lambda c: c.tracks([BAD_GUY]), save_tracks, track_rows),
    Endpoint("track_batch", lambda c: c.tracks([BAD_GUY, SECOND]), save_tracks, track_rows),
    Endpoint("artist", lambda c: c.artists([BILLIE]), save_artists, artist_rows),
    Endpoint("track_audience", lambda c: c.track_audience(BAD_GUY, "spotify", WINDOW), OF_TRACK, track_series_rows),
    Endpoint(
        "artist_streaming", lambda c: c.artist_streaming(BILLIE, "spotify", WINDOW), OF_ARTIST, artist_series_rows
    ),
    Endpoint(
        "artist_streaming_recorded", lambda c: c.artist_streaming(BILLIE, "x", WINDOW), OF_ARTIST, artist_series_rows
    ),
    Endpoint(
        "artist_followers_untidy", lambda c: c.artist_followers(BILLIE, "x", WINDOW), OF_ARTIST, artist_series_rows
    ),
    Endpoint("track_broadcasts", lambda c: c.spins(BAD_GUY, RANKING.day), as_is, lambda b, _: [(b["page"]["total"],)]),
    Endpoint("track_broadcast_groups", lambda c: c.spins_by_station(BAD_GUY, RANKING.day), as_is, plays_rows),
]


@dataclass
class Server:
    """Answers every question with the same bytes."""

    client: SoundchartsClient
    body: bytes = b"{}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with answering(lambda _: Says(200, found.body)) as stub:
        found = Server(caller_of(stub.url, per_minute=10**9).client)
        yield found


@pytest.fixture(scope="module")
def sqlite_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder: Path = tmp_path_factory.mktemp("mutated")
    with closing(Warehouse(f"sqlite:///{folder / 'soundcharts.db'}")) as warehouse:
        yield warehouse


def _examples(share: int) -> settings:
    """So many of a test's bodies; the same ones every time unless somebody asks for a number of their own."""
    return settings(
        max_examples=int(EXAMPLES) // len(ENDPOINTS) if EXAMPLES else share,
        derandomize=EXAMPLES is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def _broken(body: Any, original: Any) -> bool:
    """Whether the envelope was changed: then the whole answer may be refused."""
    if not isinstance(body, dict) or body.get("errors"):
        return True
    if isinstance(original.get("items"), list):
        items = body.get("items")
        if not isinstance(items, list):
            return True
        page = body.get("page")
        total = page.get("total") if isinstance(page, dict) else None
        # An answer of several records in metadata has no pages.
        if "page" in original and (type(total) is not int or total < 0 or total > len(items)):
            return True
    if "object" in original and not isinstance(body.get("object"), dict):
        return True
    is_ranking = "chart" in (original.get("related") or {})
    return is_ranking and "items" in original and body.get("related") != original["related"]


def _check(endpoint: Endpoint, body: Any, server: Server, warehouse: Warehouse) -> None:
    server.body = as_bytes(body)
    server.client.remarks.drain()
    told = as_read(body)
    error: SoundchartsError | None = None
    rows: list[Row] = []
    try:
        found = endpoint.ask(server.client)
        if isinstance(found, dict) and all(isinstance(one, SoundchartsError) for one in found.values()):
            error = next(iter(found.values()), None)
        with warehouse.write() as conn:
            rows = endpoint.store(conn, found)
            raise _Undone
    except SoundchartsError as refused:
        error = refused
    except _Undone:
        pass
    remarks = server.client.remarks.drain()
    if holds_no_number(body) or _broken(told, payload(endpoint.name)):
        assert error is not None or not holds_no_number(body)
        return
    reading = Reading()
    try:
        expected = endpoint.expected(told, reading)
    except ChangedApi:
        assert isinstance(error, UnexpectedPayload), f"stored {rows} of an answer that is another one"
        return
    assert not reading.odd or remarks or error, f"{rows} without a remark, of {server.body.decode()}"
    if expected is None:
        return
    if error is not None:
        assert not expected, f"refused though {expected} can be read: {error}"
        return
    unfound = list(rows)
    for row in expected:
        match = next((one for one in unfound if same(row, one)), None)
        assert match is not None, f"{row} is not stored in {rows}, remarks {remarks}"
        unfound.remove(match)
    assert not unfound, f"nobody said {unfound}"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_answer_is_stored_as_it_says_or_refused_or_remarked(
    endpoint: Endpoint, server: Server, sqlite_home: Warehouse
) -> None:
    @_examples(3000 // len(ENDPOINTS))
    @given(body=mutated(endpoint.name))
    def check(body: Any) -> None:
        _check(endpoint, body, server, sqlite_home)

    check()


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_postgresql_stores_the_same(endpoint: Endpoint, server: Server, postgres_url: str) -> None:
    with closing(Warehouse(postgres_url)) as warehouse:

        @_examples(30)
        @given(body=mutated(endpoint.name))
        def check(body: Any) -> None:
            _check(endpoint, body, server, warehouse)

        check()


@_examples(100)
@given(
    # hypothesis takes texts and bytes from the modules that are loaded: answers that announce a count are among them.
    content=(
        st.binary(max_size=200)
        | st.text().map(str.encode)
        | st.recursive(st.none(), st.lists).map(lambda v: json.dumps(v).encode())
    ).filter(lambda content: b"total" not in content)
)
def test_bytes_of_any_kind_are_refused_by_name(content: bytes) -> None:
    with answering(lambda _: Says(200, content)) as stub, pytest.raises(SoundchartsError):
        caller_of(stub.url).client.spins(BAD_GUY, RANKING.day)
