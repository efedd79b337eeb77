"""Who gets to see the pages: those with the cookie of a session, and nobody by an address, a header or another site."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from starlette.requests import Request

from soundcharts_pipeline.admin.auth import Guard
from soundcharts_pipeline.admin.login import ATTEMPTS_PER_MINUTE, COOKIE, SESSION_HOURS, Login, own_page
from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN, Client, serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.helpers import SLUG

PAGES = ["/", "/tasks/", f"/chart/{SLUG}/"]
FORMS = ["/logout/", f"/chart/{SLUG}/trigger/"]
REQUEST = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "server": ("localhost", 80)}
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def inside(client: Client) -> Iterator[Visitor]:
    with visiting(client.url) as visitor:
        yield visitor


@pytest.fixture
def outside(client: Client) -> Iterator[Visitor]:
    with visiting(client.url, signed_in=False) as visitor:
        yield visitor


def sent_to_login(answer: requests.Response) -> bool:
    assert TOKEN not in answer.text
    return answer.status_code == 303 and answer.headers["Location"].startswith(f"{PREFIX}/login/?next=")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_a_session_leads_to_the_form_and_back(outside: Visitor, page: str) -> None:
    answer = outside.get(page)

    assert sent_to_login(answer)
    form = outside.session.get(outside.url + answer.headers["Location"], timeout=60)
    assert f'name="next" value="{PREFIX}{page}"' in form.text
    assert outside.sign_in(page=PREFIX + page).headers["Location"] == PREFIX + page


@pytest.mark.parametrize("page", PAGES)
def test_a_bearer_header_or_a_token_in_the_address_opens_no_page(outside: Visitor, inside: Visitor, page: str) -> None:
    assert sent_to_login(outside.get(page, headers={"Authorization": f"Bearer {TOKEN}"}))
    for visitor in (outside, inside):
        answer = visitor.get(f"{page}?token={TOKEN}")
        assert answer.status_code == 401
        assert "addresses end up in logs" in answer.text
        assert TOKEN not in answer.text
    assert outside.get(f"/login/?token={TOKEN}").status_code == 401


def test_the_cookie_is_for_this_site_alone_and_holds_no_token(outside: Visitor) -> None:
    set_cookie = outside.sign_in().headers["Set-Cookie"]

    assert {"HttpOnly", f"Path={PREFIX}", "SameSite=strict"} <= {part.strip() for part in set_cookie.split(";")}
    assert f"Max-Age={SESSION_HOURS * 3600}" in set_cookie
    assert "Secure" not in set_cookie
    assert TOKEN not in set_cookie
    behind_tls = outside.sign_in(headers={"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert "Secure" in behind_tls


def test_a_cookie_that_was_changed_or_made_up_is_none(inside: Visitor, outside: Visitor) -> None:
    good = next(cookie.value for cookie in inside.session.cookies if cookie.name == COOKIE)
    assert good is not None
    expires, nonce, mac = good.split(".")
    later = str(int(expires) + 3600)
    other = hmac.new(b"another-token", f"session:{expires}:{nonce}".encode(), hashlib.sha256).hexdigest()
    unkeyed = hashlib.sha256(f"session:{expires}:{nonce}".encode()).hexdigest()
    forged = [
        *(f"{later}.{nonce}.{mac}", f"{expires}.{nonce}x.{mac}", f"{expires}.{nonce}.{other}"),
        *(f"{expires}.{nonce}.{unkeyed}", f"{expires}.{nonce}.", f"..{mac}", TOKEN, "x.y.z", ""),
    ]

    for value in forged:
        assert sent_to_login(outside.get("/", headers={"Cookie": f"{COOKIE}={value}"})), value
    assert outside.get("/", headers={"Cookie": f"{COOKIE}={good}"}).status_code == 200


def test_a_session_ends_after_its_hours_and_with_its_token() -> None:
    now = [NOW]
    login = Login(Guard(TOKEN), clock=lambda: now[0])

    def request(cookie: str = "") -> Request:
        return Request({**REQUEST, "scheme": "http", "headers": [(b"cookie", cookie.encode())]})

    answer = login.sign_in(request(), {"token": TOKEN})
    assert answer is not None
    cookie = answer.headers["set-cookie"].partition(";")[0]

    now[0] = NOW + timedelta(hours=SESSION_HOURS, seconds=-1)
    assert login.session(request(cookie)) is not None
    assert Login(Guard("another"), clock=lambda: NOW).session(request(cookie)) is None
    assert Login(Guard(None), clock=lambda: NOW).session(request(cookie)) is None
    now[0] = NOW + timedelta(hours=SESSION_HOURS)
    assert login.session(request(cookie)) is None


def test_a_wrong_token_is_refused_and_so_are_many_attempts(charts_file: Path) -> None:
    with (
        serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db") as client,
        visiting(client.url, signed_in=False) as visitor,
    ):
        answers = [visitor.sign_in("wrong") for _ in range(ATTEMPTS_PER_MINUTE)]
        late = visitor.sign_in()

        assert {answer.status_code for answer in answers} == {401}
        assert "that is not the token" in answers[0].text.lower()
        assert "Set-Cookie" not in answers[0].headers
        # The right one comes too late too: whoever guesses learns nothing from it.
        assert late.status_code == 429
        assert "try again in" in late.text
        assert sent_to_login(visitor.get())


def test_no_configured_token_is_said_on_the_form(charts_file: Path) -> None:
    with (
        serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db", token=None) as client,
        visiting(client.url, signed_in=False) as visitor,
    ):
        for answer in (visitor.get("/login/"), visitor.sign_in(""), visitor.sign_in("None")):
            assert answer.status_code == 401
            assert "openssl rand" in answer.text
            assert 'type="password"' not in answer.text
        assert sent_to_login(visitor.get())


@pytest.mark.parametrize("form", FORMS)
def test_a_form_without_the_sessions_own_mark_is_refused(client: Client, inside: Visitor, form: str) -> None:
    with visiting(client.url) as other:
        foreign = other.csrf()
    forged = ["", "0" * 64, foreign, inside.csrf()[:-1], "ключ"]

    for csrf in forged:
        answer = inside.post(form, {"csrf": csrf})
        assert answer.status_code == 403, csrf
        assert "not of this session" in answer.text
    assert inside.post(form).status_code == 403
    assert inside.get().status_code == 200


@pytest.mark.parametrize("form", [*FORMS, "/login/"])
def test_a_form_that_another_site_sends_is_refused(inside: Visitor, form: str) -> None:
    fields = {"csrf": inside.csrf(), "token": TOKEN}

    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": inside.url},
    ):
        answer = inside.post(form, fields, headers=headers)
        assert answer.status_code == 403, headers
        assert "another site" in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_form_without_a_session_starts_nothing(outside: Visitor) -> None:
    for form in FORMS:
        assert sent_to_login(outside.post(form, {"csrf": "0" * 64}))


def test_signing_out_forgets_the_session(client: Client) -> None:
    with visiting(client.url) as visitor:
        answer = visitor.post("/logout/", {"csrf": visitor.csrf()}, headers={"Origin": client.url})

        assert (answer.status_code, answer.headers["Location"]) == (303, f"{PREFIX}/login/")
        assert sent_to_login(visitor.get())


@pytest.mark.parametrize(
    "address",
    [
        *("https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)", "", "/"),
        *(f"{PREFIX}//elsewhere.example", f"{PREFIX}/../../elsewhere", f"{PREFIX}/%2e%2e/x", f"{PREFIX}evil"),
        *(f"{PREFIX}/\r\nSet-Cookie: x=y", f"{PREFIX}/x\n", f"{PREFIX}/\t/elsewhere.example"),
    ],
)
def test_signing_in_leads_nowhere_but_to_our_own_pages(address: str) -> None:
    request = Request({**REQUEST, "scheme": "http", "headers": []})

    answer = Login(Guard(TOKEN)).sign_in(request, {"token": TOKEN, "next": address})

    assert answer is not None
    assert answer.headers["Location"] == f"{PREFIX}/"


def test_our_own_pages_are_led_back_to() -> None:
    for page in (
        "/",
        f"/chart/{SLUG}/",
        "/track/00000000-0000-4000-8000-000000000000/",
        "/chart/a/?from=2026-11-01&to=2",
    ):
        assert own_page(PREFIX + page) == PREFIX + page
