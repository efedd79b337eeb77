"""The pages of charts, tracks and artists over HTTP: what they show of a synced warehouse, and that text stays text."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from starlette.requests import Request

from soundcharts_pipeline.admin.access.middleware import SECURITY_HEADERS
from soundcharts_pipeline.admin.pages.entity_pictures import PICTURE_HEADERS
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import ChartHealth, Task
from soundcharts_pipeline_tests.admin.filled import (
    MARKUP,
    SCRIPT,
    Filled,
    addresses,
    cells,
    path_of,
    pictures,
    settings_of_it,
)
from soundcharts_pipeline_tests.admin.site import TOKEN, serving, wait_for
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.helpers import SLUG

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def test_nobody_sees_anything_without_signing_in(visitor: Visitor, filled: Filled) -> None:
    with visiting(visitor.url, signed_in=False) as stranger:
        for address in [*addresses(filled), *pictures(filled), "/chart/nowhere/", "/track/nope/"]:
            answer = stranger.get(address)
            assert (answer.status_code, "/login/" in answer.headers["Location"]) == (303, True), address
        assert stranger.get(f"/chart/{SLUG}/?token={TOKEN}").status_code == 401


def test_names_that_are_html_show_as_text_on_pages_and_in_pictures(visitor: Visitor, filled: Filled) -> None:
    for address in addresses(filled):
        page = visitor.get(address).text
        assert escape(SCRIPT) in page, address
        assert "<script>" not in page
        assert "javascript:" not in page
        assert page.count("<script") == page.count("<script src=")
        assert not re.search(r"<[^>]*\s(on[a-z]+|style)=", re.sub(r'"[^"]*"', "", page))
    for address in pictures(filled):
        root = ElementTree.fromstring(visitor.get(address).text)  # noqa: S314  # our own
        assert not list(root.iter(f"{SVG}script"))
        text = " ".join("".join(element.itertext()) for element in root.iter(f"{SVG}text"))
        assert "alert(" in text, address


def test_pages_and_pictures_carry_their_headers(visitor: Visitor, filled: Filled) -> None:
    for address in addresses(filled):
        answer = visitor.get(address)
        assert SECURITY_HEADERS.items() <= answer.headers.items()
    for address in pictures(filled):
        answer = visitor.get(address)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")
        assert (SECURITY_HEADERS | PICTURE_HEADERS).items() <= answer.headers.items()
        assert answer.headers["Cache-Control"] == "no-store"
        narrow = visitor.get(f"{address}?narrow=1").text
        assert len(narrow) < 60_000
        assert narrow != answer.text


def test_a_uuid_in_capitals_is_the_same(visitor: Visitor, filled: Filled) -> None:
    for uuid in (filled.track, filled.artist):
        assert uuid != uuid.upper()
        of_it = [address for address in [*addresses(filled), *pictures(filled)] if uuid in address]
        assert of_it
        for address in of_it:
            assert visitor.get(address.replace(uuid, uuid.upper())).status_code == 200, address


def test_a_chart_shows_its_health_and_its_ranking_with_moves_in_words(visitor: Visitor, filled: Filled) -> None:
    page = visitor.get(f"/chart/{SLUG}/").text

    for words in ("Ranking of " + str(filled.day), "Last 30 days:", "published days are not complete", "No run of it"):
        assert words in page, words
    assert f"Against {filled.day - timedelta(days=1)}:" in page
    table = page.partition('class="ranking"')[2].partition("</table>")[0]
    ranking = [row for row in cells(table) if row and row[0].isdigit()]
    assert [int(row[0]) for row in ranking] == list(range(1, 51))
    assert {re.sub(r"[\d,]+", "N", row[1]) for row in ranking} <= {"▲ up N", "▼ down N", "= same place", "new", "back"}
    assert f'href="/admin/soundcharts/track/{filled.track}/"' in page
    assert f'href="/admin/soundcharts/artist/{filled.artist}/"' in page
    with closing(sqlite3.connect(path_of(filled))) as conn:
        query = "select position, metric from chart_rankings where chart_slug = ? and rank_date = ? order by 1"
        stored = conn.execute(query, (SLUG, str(filled.day))).fetchall()
    assert [(int(row[0]), row[3]) for row in ranking] == [
        (position, "–" if metric is None else f"{metric:,}")  # noqa: RUF001  # an empty cell
        for position, metric in stored
    ]


def test_tasks_show_their_progress_their_error_and_what_to_do() -> None:
    at_work = Task(
        task_id="1",
        chart=SLUG,
        partition=f"{SLUG}|2026-11-20",
        status="processing",
        trigger="api",
        progress=42,
        step="track_audience/spotify",
        calls_per_second=12.5,
        seconds_left=90,
        logs_url="http://dagster.example/runs/1",
        started_at=NOW,
        finished_at=None,
        error=None,
    )
    error = RunError("track_metadata", "NetworkError", SCRIPT, "Look at the line")
    failed = replace(at_work, status="failed", task_id="2", error=error, finished_at=NOW)
    health = ChartHealth(
        chart=SLUG,
        name=SLUG,
        platform=None,
        schedule="0 2 * * *",
        next_run=None,
        last_sync=None,
        success_rate=0.5,
        error_count=1,
        last_error=error,
        status="failing",
        reason="half of its runs failed",
        strip=((NOW.date(), "failed"),),
        tasks=(at_work, *[failed] * 6),
    )
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    nothing: dict[str, object] = {"problems": (), "ranking": None, "race": {}, "audiences": ()}
    context = {"chart": settings_of_it(), "health": health, **nothing}
    page = Renderer("http://dagster.example", lambda: NOW).page(request, "chart.html", 200, **context)
    text = bytes(page.body).decode()

    for words in (
        *('<progress max="100" value="42"', "track_audience/spotify", "12.5 calls/s", "http://dagster.example/runs/1"),
        *("NetworkError in track_metadata:", escape(SCRIPT), "Look at the line", "half of its runs failed"),
        *("Last 1 days: 1 failed", "2 more"),
    ):
        assert words in text, words
    assert SCRIPT not in text


def test_a_track_shows_the_latest_value_of_each_platform_and_what_was_not_asked(
    visitor: Visitor, filled: Filled
) -> None:
    page = visitor.get(f"/track/{filled.track}/").text

    with closing(sqlite3.connect(path_of(filled))) as conn:
        query = "select date, value from track_audience where track_uuid = ? and platform = 'spotify' order by 2 desc"
        points = conn.execute(query, (filled.track,)).fetchall()
    newest = max(day for day, _ in points)
    values = [value for day, value in points if day == newest]
    (row,) = [row for row in cells(page) if row and row[0] == "streams, total so far" and "Metric" not in row]
    assert row[1] == f"{sum(values):,} {newest}"
    assert ["shazams, total so far", "–", "–", "–", "–"] in cells(page)  # noqa: RUF001  # an empty cell
    assert "not asked" in page
    assert [newest, *(f"{value:,}" for value in values)] in cells(page)
    assert f"/track/{filled.track}/audience/spotify.svg" in page
    assert f"/track/{filled.track}/audience/shazam.svg" not in page
    assert visitor.get(f"/track/{filled.track}/audience/shazam.svg").status_code == 404


def test_an_artist_shows_the_tracks_on_charts_and_both_metrics(visitor: Visitor, filled: Filled) -> None:
    page = visitor.get(f"/artist/{filled.artist}/").text

    names = [row[0] for row in cells(page) if row]
    assert escape(MARKUP) in names
    assert {"monthly listeners (of 28 days)", "followers"} <= set(names)


def test_a_track_of_an_artist_is_one_on_however_many_charts_it_is(filled: Filled, tmp_path: Path) -> None:
    database = tmp_path / "soundcharts.db"
    with closing(sqlite3.connect(path_of(filled))) as source, closing(sqlite3.connect(database)) as copy:
        source.backup(copy)
        copy.execute("CREATE TEMP TABLE another AS SELECT * FROM chart_rankings")
        copy.execute("UPDATE another SET chart_slug = 'another-1'")
        copy.execute("INSERT INTO chart_rankings SELECT * FROM another")
        copy.commit()
    with serving(filled.charts, f"sqlite:///{database}") as client, visiting(client.url) as visitor:
        _, _, card = visitor.get(f"/artist/{filled.artist}/").text.partition("Tracks on charts")
    rows = [row for row in cells(card.partition("</table>")[0]) if row and row[0] != "Track"]
    tracks = {row[0] for row in rows}
    assert len(rows) == 2 * len(tracks)
    assert f'<span class="count">{len(tracks)}</span>' in card.partition("</h2>")[0]


def test_a_search_finds_by_name_and_says_what_it_does_not_find(visitor: Visitor, filled: Filled) -> None:
    found = visitor.get("/search/?q=%20SCRIPT%20").text
    nothing = visitor.get("/search/?q=" + "%25" * 3).text

    assert f'href="/admin/soundcharts/track/{filled.track}/"' in found
    assert f'href="/admin/soundcharts/artist/{filled.artist}/"' in found
    assert "No track has “%%%” in the name" in nothing
    assert "No track" not in visitor.get("/search/").text
    assert visitor.get("/search?q=" + "x" * 5000 + "%00").status_code == 200


def test_what_does_not_exist_is_a_page_that_says_what_to_do(visitor: Visitor) -> None:
    for address, words in (
        ("/chart/viral-50-globl/", f"&#39;{SLUG}&#39;"),
        ("/chart/viral-50-globl/ranks.svg", f"&#39;{SLUG}&#39;"),
        ("/chart/nowhere-28/ranks.svg", "no ranking"),
        ("/track/nope/", "search for its name"),
        ("/artist/%3Cb%3E/", "&lt;b&gt;"),
        ("/track/nope/ranks.svg", "no ranking"),
        ("/artist/nope/audience/spotify.svg", "nothing of this artist"),
    ):
        answer = visitor.get(address)
        assert (answer.status_code, words in answer.text, "<h1>" in answer.text) == (404, True, True), address
        assert visitor.get(address, headers={"Accept": "image/*"}).json()["remedy"]
    empty = visitor.get("/chart/nowhere-28/")
    assert (empty.status_code, "No ranking of it is stored" in empty.text) == (200, True)


def test_a_database_that_is_locked_is_said_and_forgotten_when_it_is_free(filled: Filled, tmp_path: Path) -> None:
    database = tmp_path / "soundcharts.db"
    with closing(sqlite3.connect(path_of(filled))) as source, closing(sqlite3.connect(database)) as copy:
        source.backup(copy)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        # Readers are let in beside a writer; not beside one that keeps the file for itself.
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with serving(filled.charts, f"sqlite:///{database}") as client, visiting(client.url) as visitor:
            for address in [*addresses(filled), *pictures(filled)]:
                answer = visitor.get(address)
                assert answer.status_code == 503, address
                assert "the database does not answer" in answer.text
                assert "Traceback" not in answer.text
            other.close()
            wait_for("recovery", lambda: visitor.get(f"/track/{filled.track}/").status_code == 200)
