"""The dashboard over HTTP, with Dagster away: what it shows, in which words, and that text stays text."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from soundcharts_pipeline.admin.access.middleware import MOST_BODY_BYTES, SECURITY_HEADERS
from soundcharts_pipeline.admin.internal_api.routes import TRIGGERS_PER_MINUTE
from soundcharts_pipeline.admin.pages.day_strip import Strip, strip_svg, strip_text
from soundcharts_pipeline.admin.pages.overview import calls_a_day, exhausted_on, failures
from soundcharts_pipeline.admin.pages.rendering import byte_size, number, percent, relative, utc, with_code
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import ChartHealth, Task
from soundcharts_pipeline_tests.admin.site import TOKEN, Client, serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.helpers import SLUG

SCRIPT = "<script>alert(1)</script>"
CHARTS = f"""
charts:
  - slug: {SLUG}
    name: "{SCRIPT}"
    schedule: weekly on monday at 06:00
  - slug: nowhere-28
    name: '"><img src=x onerror=alert(2)>'
"""
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    charts = tmp_path_factory.mktemp("pages") / "charts.yaml"
    charts.write_text(CHARTS)
    with serving(charts, f"sqlite:///{charts.parent}/soundcharts.db") as client:
        yield client


@pytest.fixture(scope="module")
def visitor(client: Client) -> Iterator[Visitor]:
    with visiting(client.url) as visitor:
        yield visitor


def test_names_that_are_html_show_as_text(visitor: Visitor) -> None:
    for page in ("/", "/tasks/"):
        text = visitor.get(page).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert SCRIPT not in text
        assert "<img src=x" not in text


def test_every_page_carries_the_security_headers_and_nothing_inline(visitor: Visitor) -> None:
    for page in ("/", "/tasks/", "/login/", "/nowhere/", "/static/pages.css"):
        answer = visitor.get(page)
        assert SECURITY_HEADERS.items() <= answer.headers.items()
        assert answer.headers["Cache-Control"] == "no-store"
        assert TOKEN not in answer.text
        assert "<style" not in answer.text
        assert answer.text.count("<script") == answer.text.count("<script src=")
        attributes = re.sub(r'"[^"]*"', "", answer.text)
        assert not re.search(r"<[^>]*\s(on[a-z]+|style)=", attributes)


def test_the_dashboard_shows_every_chart_with_words_for_its_state(visitor: Visitor) -> None:
    text = visitor.get().text

    for words in (
        *("never synced", "nothing of it was ever saved", "weekly on monday at 06:00", "daily at 02:00"),
        *("Last 30 days: 30 not published", "Trigger cascade of", "Nothing is queued or running."),
        *("No run failed in the last seven days.", "The server has not said yet how many calls are left."),
    ):
        assert words in text, words
    assert text.count("Trigger cascade of") == 2


def test_what_cannot_be_reached_is_an_alert_on_top(visitor: Visitor) -> None:
    text = visitor.get("/tasks/").text

    alert = text[text.index('role="alert"') : text.index("</div>")]
    # An apostrophe is escaped too.
    assert "webserver at http://127.0.0.1:1 does not answer" in alert


def test_an_address_that_does_not_exist_is_a_page_for_people_and_json_for_programs(visitor: Visitor) -> None:
    page = visitor.get("/nowhere/")
    program = visitor.get("/nowhere/", headers={"Accept": "*/*"})

    assert (page.status_code, program.status_code) == (404, 404)
    assert "<h1>" in page.text
    assert "there is nothing at this address" in page.text
    assert program.json()["remedy"]
    assert visitor.get("/static/pages.py").status_code == 404
    assert visitor.get("/static/../pages.py").status_code == 404
    assert visitor.post("/tasks/").status_code == 405
    long = visitor.post("/login/", {"token": "x" * MOST_BODY_BYTES})
    assert (long.status_code, "<h1>" in long.text) == (413, True)


def test_an_address_without_its_last_slash_is_the_same(visitor: Visitor) -> None:
    for page in ("", "/tasks", "/login"):
        assert visitor.get(page).status_code == 200


def test_a_cascade_that_cannot_start_says_why_and_what_to_do(visitor: Visitor) -> None:
    page = visitor.post(f"/chart/{SLUG}/trigger/")
    part = visitor.post(f"/chart/{SLUG}/trigger/", headers={"X-Fragment": "1"})
    unknown = visitor.post("/chart/viral-50-globl/trigger/", headers={"X-Fragment": "1"})

    for answer in (page, part):
        assert answer.status_code == 400
        assert "has no ranking at all yet" in answer.text
        assert "send a date, or try again later" in answer.text
    assert "<html" in page.text
    assert "<html" not in part.text
    assert unknown.status_code == 404
    assert f"&#39;{SLUG}&#39;" in unknown.text


def test_the_button_and_the_api_share_one_limit(tmp_path: Path) -> None:
    charts = tmp_path / "charts.yaml"
    charts.write_text(CHARTS)
    with serving(charts, f"sqlite:///{tmp_path}/soundcharts.db") as client, visiting(client.url) as visitor:
        for _ in range(TRIGGERS_PER_MINUTE):
            client.trigger("nowhere")
        answer = visitor.post(f"/chart/{SLUG}/trigger/", headers={"X-Fragment": "1"})

        assert answer.status_code == 429
        assert "try again in" in answer.text


def test_the_day_of_exhaustion_is_what_is_left_by_the_calls_a_day() -> None:
    week = {TODAY - timedelta(days=ago): 100 for ago in range(7)}

    assert calls_a_day(week, TODAY) == 100.0
    assert calls_a_day({**week, TODAY - timedelta(days=7): 10_000}, TODAY) == 100.0
    # Three days old, one of them idle: 300 / 3.
    assert calls_a_day({TODAY - timedelta(days=2): 200, TODAY: 100}, TODAY) == 100.0
    assert calls_a_day({}, TODAY) == 0.0
    assert exhausted_on(1_050, 100.0, TODAY) == date(2026, 12, 3)
    assert exhausted_on(99, 100.0, TODAY) == TODAY
    assert exhausted_on(0, 0.0, TODAY) == TODAY
    assert exhausted_on(-5, 10.0, TODAY) == TODAY
    assert exhausted_on(1_000, 0.0, TODAY) is None
    assert exhausted_on(None, 100.0, TODAY) is None
    assert exhausted_on(1_000_000_000, 0.001, TODAY) is None


def failed(kind: str, ago: timedelta, asset: str = "chart_rankings") -> Task:
    return Task(
        task_id=f"{kind}-{ago}",
        chart=SLUG,
        partition=f"{SLUG}|2026-11-20",
        status="failed",
        trigger="schedule",
        progress=0,
        step=None,
        calls_per_second=None,
        seconds_left=None,
        logs_url="http://127.0.0.1:1/runs/x",
        started_at=None,
        finished_at=NOW - ago,
        error=RunError(asset, kind, "message", "remedy"),
    )


def test_failures_of_one_cause_are_one_and_say_whether_it_is_over() -> None:
    tasks = (
        failed("NetworkError", timedelta(hours=1)),
        failed("NetworkError", timedelta(hours=2)),
        failed("QuotaExhausted", timedelta(hours=5)),
        failed("StorageFull", timedelta(days=8)),
    )
    health = ChartHealth(
        chart=SLUG,
        name=SLUG,
        platform=None,
        schedule="0 2 * * *",
        next_run=None,
        last_sync=NOW - timedelta(hours=3),
        success_rate=0.5,
        error_count=2,
        last_error=None,
        status="degraded",
        reason="",
        strip=(),
        tasks=tasks,
    )

    found = [(one.title, one.count, one.over, one.task) for one in failures([health], NOW)]

    assert found == [("Network down", 2, False, tasks[0]), ("Quota used up", 1, True, tasks[2])]
    assert list(failures([replace(health, tasks=())], NOW)) == []
    canceled = replace(tasks[0], status="canceled")
    assert list(failures([replace(health, tasks=(canceled,))], NOW)) == [], "a person's stop is no error"


def test_a_strip_tells_its_days_in_words_too() -> None:
    strip: Strip = (
        (date(2026, 11, 18), "complete"),
        (date(2026, 11, 19), "failed"),
        (date(2026, 11, 20), "complete"),
        (date(2026, 11, 21), "complete"),
        (date(2026, 11, 22), "not published"),
    )

    said = "Last 5 days: 3 complete, 1 failed (2026-11-19), 1 not published"
    assert strip_text(strip) == said
    svg = strip_svg(strip)
    assert f'role="img" aria-label="{said}"' in svg
    assert "<title>2026-11-19: failed</title>" in svg
    assert re.findall('d="(M[^"]*z)"', svg) == [
        "M0 0h6v20h-6z",
        "M8 0h6v20h-6z",
        "M16 0h6v20h-6zM24 0h6v20h-6z",
        "M32 18h6v2h-6z",
    ]
    assert "<title>2026-11-20 to 2026-11-21: complete</title>" in svg


def test_commands_in_a_message_read_as_code_and_nothing_else_does() -> None:
    assert with_code("run `sync <b>` <i>") == "run <code>sync &lt;b&gt;</code> &lt;i&gt;"
    assert with_code("it`s <b>") == "it`s &lt;b&gt;"


def test_numbers_and_times_read_well() -> None:
    assert [number(value) for value in (0, 1_234_567, 1.25, None)] == ["0", "1,234,567", "1.2", "–"]  # noqa: RUF001
    assert [percent(share) for share in (1.0, 0.999, 0.001, 0.0, 0.95)] == ["100 %", "99 %", "1 %", "0 %", "95 %"]
    assert [byte_size(count) for count in (999, 12_345, 123_456_789, 2 * 10**12)] == [
        "999 B",
        "12.3 kB",
        "123 MB",
        "2.0 TB",
    ]
    assert utc(NOW) == '<time datetime="2026-11-23T12:00:00Z" title="2026-11-23 12:00 UTC">2026-11-23 12:00 UTC</time>'
    ages = [timedelta(seconds=5), timedelta(minutes=3), timedelta(hours=49)]
    assert [relative(NOW - age, NOW).split(">")[1].split("<")[0] for age in ages] == ["5 s ago", "3 min ago", "2 d ago"]
    assert ">in 14 h<" in relative(NOW + timedelta(hours=14), NOW)
