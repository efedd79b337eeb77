"""Who gets to see the pages: those with the cookie of a session, and nobody by an address, a header or another site."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from itsdangerous import TimestampSigner
from starlette.requests import Request

from soundcharts_pipeline.admin.access.auth import Guard
from soundcharts_pipeline.admin.access.login import ATTEMPTS_PER_MINUTE, COOKIE, SESSION_HOURS, Login, own_page
from soundcharts_pipeline_tests.admin.site import PREFIX, READ_TOKEN, TOKEN, Client, serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.helpers import SLUG

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


def test_a_cookie_that_was_changed_or_made_up_is_none(inside: Visitor, outside: Visitor) -> None:
    good = next(cookie.value for cookie in inside.session.cookies if cookie.name == COOKIE)
    assert good is not None
    said, signed_at, signature = good.split(".")
    other, unlabelled = (
        TimestampSigner(key, salt=salt, digest_method=hashlib.sha256, key_derivation="hmac").sign(said).decode()
        for key, salt in (("another-token", "soundcharts session"), (TOKEN, "another purpose"))
    )
    later = good.replace(signed_at, other.split(".")[1][:-1] + "_")
    forged = [
        *(later, f"{said}x.{signed_at}.{signature}", f"{said}.{signed_at}.{signature[:-1]}", other, unlabelled),
        *(f"{said}.{signed_at}.", f"..{signature}", f"{said}.{signature}", TOKEN, "x.y.z", "\xff\xfe", ""),
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

    now[0] = NOW + timedelta(hours=SESSION_HOURS)
    assert login.session(request(cookie)) is not None
    assert Login(Guard("another"), clock=lambda: NOW).session(request(cookie)) is None
    assert Login(Guard(None), clock=lambda: NOW).session(request(cookie)) is None
    now[0] = NOW + timedelta(hours=SESSION_HOURS, seconds=1)
    assert login.session(request(cookie)) is None


def test_whoever_signs_in_with_the_other_token_sees_all_and_changes_nothing(client: Client, inside: Visitor) -> None:
    with visiting(client.url, signed_in=False) as guest:
        guest.sign_in(READ_TOKEN)
        pages = {page: guest.get(page) for page in PAGES}
        refused = guest.post(f"/chart/{SLUG}/trigger/")

        assert {answer.status_code for answer in pages.values()} == {200}
        for page, answer in pages.items():
            assert "Trigger cascade" not in answer.text
            assert "Trigger cascade" in inside.get(page).text
        assert refused.status_code == 403
        assert "looks and changes nothing" in refused.text
        assert guest.post("/logout/").status_code == 303


def test_a_cookie_is_of_the_token_that_signed_it() -> None:
    def cookie_of(token: str) -> Request:
        answer = Login(both).sign_in(Request({**REQUEST, "scheme": "http", "headers": []}), {"token": token})
        assert answer is not None
        cookie = answer.headers["set-cookie"].partition(";")[0]
        return Request({**REQUEST, "scheme": "http", "headers": [(b"cookie", cookie.encode())]})

    both = Guard(TOKEN, READ_TOKEN)
    admin, reader = cookie_of(TOKEN), cookie_of(READ_TOKEN)

    def role(guard: Guard, request: Request) -> str | None:
        session = Login(guard).session(request)
        return session.role if session else None

    assert (role(both, admin), role(both, reader)) == ("admin", "reader")
    assert (role(Guard(TOKEN), admin), role(Guard(TOKEN), reader)) == ("admin", None)
    assert (role(Guard(None, READ_TOKEN), admin), role(Guard(None, READ_TOKEN), reader)) == (None, "reader")
    # Whoever gets the other's token as its own is the other.
    assert role(Guard(READ_TOKEN), reader) == "admin"


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
        serving(charts_file, f"sqlite:///{charts_file.parent}/soundcharts.db", token=None, read_token=None) as client,
        visiting(client.url, signed_in=False) as visitor,
    ):
        for answer in (visitor.get("/login/"), visitor.sign_in(""), visitor.sign_in("None")):
            assert answer.status_code == 401
            assert "openssl rand" in answer.text
            assert 'type="password"' not in answer.text
        assert sent_to_login(visitor.get())


@pytest.mark.parametrize("form", [*FORMS, "/login/"])
def test_a_form_that_says_nothing_of_its_site_is_refused(inside: Visitor, form: str) -> None:
    answer = inside.post(form, {"token": TOKEN}, headers={"Origin": None})

    assert answer.status_code == 403
    assert "does not say which site" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert inside.get().status_code == 200


@pytest.mark.parametrize("form", [*FORMS, "/login/"])
def test_a_form_that_another_site_sends_is_refused(inside: Visitor, form: str) -> None:
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": inside.url},
        {"Origin": inside.url.replace("127.0.0.1", "localhost")},
        {"Origin": inside.url.rpartition(":")[0]},
    ):
        answer = inside.post(form, {"token": TOKEN}, headers=headers)
        assert answer.status_code == 403, headers
        assert "another site" in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_form_without_a_session_starts_nothing(outside: Visitor) -> None:
    for form in FORMS:
        assert sent_to_login(outside.post(form))


@pytest.mark.parametrize("of_our_page", [{}, {"Sec-Fetch-Site": "same-origin", "Origin": None}])
def test_signing_out_forgets_the_session(client: Client, of_our_page: dict[str, str | None]) -> None:
    with visiting(client.url) as visitor:
        answer = visitor.post("/logout/", headers=of_our_page)

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
