"""A form that is sent after the session has ended: what became of it is said, and signing in leads back to its page."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from soundcharts_pipeline_tests.admin.forms import Page
from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN, serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.helpers import SLUG

ACCENTED = "shazam-top-50-são-paulo"
CHARTS = f"charts:\n  - slug: {SLUG}\n  - slug: {ACCENTED}\n"
SAVED, STARTED = "The session has ended; nothing was saved.", "The session has ended; nothing was started."
# A form, its page, and what is said of it.
FORMS = [
    (f"/chart/{SLUG}/settings/", f"/chart/{SLUG}/settings/", SAVED),
    (f"/chart/{SLUG}/settings", f"/chart/{SLUG}/settings", SAVED),
    (f"/chart/{quote(ACCENTED)}/settings/", f"/chart/{quote(ACCENTED)}/settings/", SAVED),
    (f"/chart/{SLUG}/remove/", f"/chart/{SLUG}/remove/", SAVED),
    ("/charts/add/global-28/", "/charts/add/global-28/", SAVED),
    ("/charts/fetch/", "/charts/add/", SAVED),
    ("/charts/look-up/", "/charts/add/", SAVED),
    (f"/chart/{SLUG}/trigger/", "/", STARTED),
]


@pytest.fixture(scope="module", params=["", "/music"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a site, and the path that a proxy puts before its own."""
    file: Path = tmp_path_factory.mktemp("ended") / "charts.yaml"
    file.write_text(CHARTS)
    with serving(file, f"sqlite:///{file.parent}/soundcharts.db", root_path=request.param) as client:
        yield client.url, request.param


@pytest.fixture
def outside(site: tuple[str, str]) -> Iterator[Visitor]:
    with visiting(site[0], signed_in=False) as visitor:
        yield visitor


@pytest.mark.parametrize(("form", "page", "said"), FORMS, ids=[form for form, *_ in FORMS])
def test_a_form_without_a_session_says_that_it_was_lost_and_leads_back(
    site: tuple[str, str], outside: Visitor, form: str, page: str, said: str
) -> None:
    sent = outside.post(form, {"step": "save"})
    assert sent.status_code == 303
    shown = outside.session.get(outside.url + sent.headers["Location"], timeout=60)
    assert said in shown.text
    let_in = outside.post("/login/", Page(shown.text).form("/login/").fields | {"token": TOKEN})
    assert let_in.headers["Location"] == site[1] + PREFIX + page


def test_whoever_mistypes_the_token_is_told_still(outside: Visitor) -> None:
    sent = outside.post("/charts/look-up/", {"slug": "global-28"})
    shown = outside.session.get(outside.url + sent.headers["Location"], timeout=60)
    wrong = outside.post("/login/", Page(shown.text).form("/login/").fields | {"token": "wrong"})
    assert (wrong.status_code, SAVED in wrong.text) == (401, True)
    assert Page(wrong.text).form("/login/").fields["next"] == f"{PREFIX}/charts/add/"


def test_a_page_that_is_only_looked_at_and_signing_out_lose_nothing(outside: Visitor) -> None:
    for answer in (outside.get(f"/chart/{SLUG}/settings/"), outside.post("/logout/")):
        shown = outside.session.get(outside.url + answer.headers["Location"], timeout=60)
        assert "has ended" not in shown.text


def test_an_address_cannot_make_the_page_say_or_lead_elsewhere(outside: Visitor) -> None:
    for lost in ("<b>pay</b>", "call 555", ""):
        query = urlencode({"next": "https://elsewhere.example/", "lost": lost})
        shown = outside.get(f"/login/?{query}").text
        assert "elsewhere" not in shown
        assert lost == "" or lost not in unescape(shown)
        assert "has ended" not in shown
