"""Who is refused, and in which words; what every answer carries. Dagster is not even there."""

from pathlib import Path
from typing import Any

import pytest
import requests

from soundcharts_pipeline.admin.access.auth import WRONG_TOKENS_PER_MINUTE, Guard
from soundcharts_pipeline.admin.access.middleware import MOST_BODY_BYTES, SECURITY_HEADERS
from soundcharts_pipeline.admin.access.rate_limit import RateLimit
from soundcharts_pipeline.admin.internal_api.routes import TRIGGERS_PER_MINUTE
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline_tests.admin.site import READ_TOKEN, TOKEN, Client, serving
from soundcharts_pipeline_tests.support.helpers import SLUG

GUARDED = [
    ("GET", f"/chart/{SLUG}/status/"),
    ("POST", f"/chart/{SLUG}/trigger-cascade/"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
]


def refused(answer: requests.Response, status: int, *words: str) -> dict[str, Any]:
    """The body of a refusal that says what is wrong and what to do, and gives no secret away."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["error"]
    assert body["remedy"]
    for word in words:
        assert word in answer.text
    assert TOKEN not in answer.text
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_without_the_token_nothing_is_told(client: Client, method: str, path: str) -> None:
    for token, words in (
        (None, "no token was sent"),
        ("wrong", "not the right one"),
        (TOKEN + "x", "not the right one"),
        ("ключ".encode().decode("latin-1"), "not the right one"),
    ):
        answer = Client(client.url, token).ask(method, path, {})
        refused(answer, 401, words, "SOUNDCHARTS_ADMIN_TOKEN")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    basic = client.ask(method, path, {"headers": {"Authorization": f"Basic {TOKEN}"}})
    refused(basic, 401)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_token_in_the_address_is_refused_even_beside_the_right_header(client: Client, method: str, path: str) -> None:
    refused(client.ask(method, f"{path}?token={TOKEN}", {}), 401, "addresses end up in logs")


def test_no_configured_token_lets_nobody_in_and_says_how_to_set_one(charts_file: Path) -> None:
    with serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db", token=None, read_token=None) as nobody:
        for token in (None, TOKEN, "", "None"):
            answer = Client(nobody.url, token).get(f"/chart/{SLUG}/status/")
            refused(answer, 401, "SOUNDCHARTS_ADMIN_TOKEN", "openssl rand")


def test_a_guard_without_a_token_accepts_nothing_for_whoever_asks_it() -> None:
    assert not any(Guard(None).role_of(given) for given in ("", "None", TOKEN))
    assert Guard(TOKEN).role_of(TOKEN) == "admin"
    assert Guard(TOKEN, READ_TOKEN).role_of(READ_TOKEN) == "reader"
    assert not any(Guard(TOKEN, READ_TOKEN).role_of(given) for given in ("", TOKEN[:-1], TOKEN + "x", "\u043a"))
    assert TOKEN not in repr(Guard(TOKEN, READ_TOKEN))
    assert READ_TOKEN not in repr(Guard(TOKEN, READ_TOKEN))


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_the_token_that_only_reads_does(client: Client, method: str, path: str) -> None:
    answer = Client(client.url, READ_TOKEN).ask(method, path, {})

    if method == "GET":
        assert answer.status_code == 200
    else:
        refused(answer, 403, "SOUNDCHARTS_READ_TOKEN", "SOUNDCHARTS_ADMIN_TOKEN")


def test_wrong_tokens_are_limited_whatever_address_they_name_and_right_ones_never(charts_file: Path) -> None:
    with serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db") as client:
        status = f"/chart/{SLUG}/status/"
        guesser = Client(client.url, "wrong")
        answers = [
            guesser.ask("GET", status, {"headers": {"X-Forwarded-For": f"198.51.100.{number}"}})
            for number in range(WRONG_TOKENS_PER_MINUTE + 2)
        ]

        assert [answer.status_code for answer in answers] == [401] * WRONG_TOKENS_PER_MINUTE + [429] * 2
        refused(answers[-1], 429, "wrong tokens", "try again in")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert refused(guesser.get("/metrics"), 429)
        assert {Client(client.url, token).get(status).status_code for token in (TOKEN, READ_TOKEN)} == {200}
        # Whoever sends none guesses nothing.
        refused(Client(client.url, None).get(status), 401)


def test_an_unknown_chart_is_404_with_the_nearest_one(client: Client) -> None:
    refused(client.get("/chart/viral-50-globl/status/"), 404, f"'{SLUG}'")
    refused(client.trigger("viral-50-globl"), 404, f"'{SLUG}'")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"date": "soon"}', '\\"soon\\" is no date'),
        (b'{"date": "20261120"}', "YYYY-MM-DD"),
        (b'{"date": "2026-W47-7"}', "YYYY-MM-DD"),
        (b'{"date": "2026-11-2"}', "YYYY-MM-DD"),
        (b'{"date": 20261120}', "YYYY-MM-DD"),
        (b'{"date": "2025-12-31"}', "since 2026-01-01"),
        (b'{"date": "2999-01-01"}', "no ranking is dated after"),
        (b'{"day": "2026-11-20"}', "the field 'date' alone"),
        (b"[1]", "the field 'date' alone"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 3_000 + b"]" * 3_000, "no JSON"),
        (b'{"date": ' + b'{"date": ' * 1_500 + b"1" + b"}" * 1_501, "no JSON"),
        (b"date=2026-11-20", "no JSON"),
        (b'{"date": NaN}', "YYYY-MM-DD"),
        (b'{"date": "\\ud8002026-11"}', "YYYY-MM-DD"),
        *((body, "the field 'date' alone") for body in (b"null", b"7", b'"2026-11-20"', b"true", b'{"": 1}')),
    ],
)
def test_a_bad_date_is_400_and_says_what_to_send(charts_file: Path, body: bytes, words: str) -> None:
    with serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db") as client:
        refused(client.post(f"/chart/{SLUG}/trigger-cascade/", data=body), 400, words)


def test_a_long_body_is_refused_with_and_without_its_length(client: Client) -> None:
    body = b" " * (MOST_BODY_BYTES + 1)

    refused(client.post(f"/chart/{SLUG}/trigger-cascade/", data=body), 413)
    refused(client.post(f"/chart/{SLUG}/trigger-cascade/", data=iter([body])), 413)


def test_addresses_and_methods_that_do_not_exist_are_refused_as_json(client: Client) -> None:
    refused(client.get("/nowhere"), 404, "openapi.json")
    answer = client.get(f"/chart/{SLUG}/trigger-cascade/")
    refused(answer, 405)
    assert answer.headers["Allow"] == "POST"


def test_every_answer_carries_the_security_headers_and_none_allows_other_origins(client: Client) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    answers = [
        client.get("/health/", headers=origin),
        client.get(f"/chart/{SLUG}/status/", headers=origin),
        client.get("/nowhere", headers=origin),
        Client(client.url, None).get("/metrics", headers=origin),
        client.ask("OPTIONS", f"/chart/{SLUG}/status/", {"headers": origin}),
    ]

    for answer in answers:
        assert SECURITY_HEADERS.items() <= answer.headers.items()
        assert answer.headers["Cache-Control"] == "no-store"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_an_address_without_its_last_slash_is_the_same(client: Client) -> None:
    assert client.get(f"/chart/{SLUG}/status").json()["chart"] == SLUG
    assert client.get("/health").status_code == client.get("/health/").status_code
    refused(client.post(f"/chart/{SLUG}/trigger-cascade", data=b"{"), 400)


def test_dagster_that_is_not_there_is_a_sentence_and_no_crash(client: Client) -> None:
    said = client.status(SLUG)
    health = Client(client.url, None).get("/health/")

    assert said["status"] == "never_synced"
    assert [problem for problem in said["problems"] if "webserver at http://127.0.0.1:1 does not answer" in problem]
    assert (health.status_code, health.json()) == (503, {"status": "unavailable"})
    refused(client.post(f"/chart/{SLUG}/trigger-cascade/", json={"date": "2026-06-01"}), 503, "does not answer")


def test_triggers_are_limited_for_each_client(charts_file: Path) -> None:
    with serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db") as client:
        answers = [client.trigger("nowhere") for _ in range(TRIGGERS_PER_MINUTE + 1)]

    assert {answer.status_code for answer in answers[:-1]} == {404}
    refused(answers[-1], 429, "try again in")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_a_minute_after_the_limit_the_client_is_let_in_again() -> None:
    now = [0.0]
    limit = RateLimit(2, what="things were done", advice="wait", clock=lambda: now[0])
    limit.count("a")
    now[0] = 30.0
    limit.count("a")
    limit.count("b")
    with pytest.raises(HttpRefusal) as refusal:
        limit.count("a")
    assert refusal.value.headers == {"Retry-After": "30"}
    now[0] = 60.0
    limit.count("a")
    with pytest.raises(HttpRefusal):
        limit.count("a")


def test_the_metrics_are_what_prometheus_reads(client: Client) -> None:
    answer = client.get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert f'soundcharts_chart_status{{chart="{SLUG}",status="never_synced"}} 1\n' in answer.text
    assert "soundcharts_problems 1\n" in answer.text
    for line in answer.text.splitlines():
        assert line.startswith(("# HELP soundcharts_", "# TYPE soundcharts_", "soundcharts_"))
