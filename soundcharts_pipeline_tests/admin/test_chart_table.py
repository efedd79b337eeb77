"""The dashboard's table of charts: what is found, and in which order, with the script and without, whatever changes."""

import itertools
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.wording import folded
from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN, Client, serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.today import TODAY, noon
from soundcharts_pipeline_tests.test_folding import SEARCHES

# Slug, name, platform, country, days ago that its newest ranking was saved (None: never).
CHARTS = [
    ("b-viral", "Berlin Viral", "spotify", "DE", 0),
    ("a-top", "Ärzte <b>Top</b>", "deezer", "DE", None),
    ("c-viral", "Paris Viral", "spotify", "FR", 9),
    ("d-top", "Zürich Top", "shazam", "CH", 5),
]
SLUGS = [slug for slug, *_ in CHARTS]
BY_NAME = ["a-top", "b-viral", "c-viral", "d-top"]
# What is asked for in the address, and the charts that are shown then, in their order.
VIEWS = [
    ("", SLUGS),
    ("q=SPOTIFY", ["b-viral", "c-viral"]),
    ("q=viral+fr", ["c-viral"]),
    ("q=never+synced", ["a-top"]),
    ("q=%C3%84RZTE", ["a-top"]),
    ("q=zurich", ["d-top"]),
    ("q=zu%CC%88rich+TO%CC%81P", ["d-top"]),
    ("q=z%C3%BAr%C3%8Ech", ["d-top"]),
    ("q=d-top", ["d-top"]),
    ("q=nothing+like+it", []),
    ("status=never_synced", ["a-top"]),
    ("sort=name", BY_NAME),
    ("sort=-name", BY_NAME[::-1]),
    ("q=viral&sort=-name", ["c-viral", "b-viral"]),
    ("sort=-status", ["a-top", *[slug for slug in SLUGS if slug != "a-top"]]),
    ("sort=nonsense&status=nonsense", SLUGS),
]
LONGEST_MS = 120_000


@dataclass
class Place:
    """A dashboard, and the database and the charts file behind it."""

    client: Client
    warehouse: Warehouse
    file: Path

    def move(self, slug: str, platform: str) -> None:
        with self.warehouse.write() as conn:
            conn.execute(s.charts.update().where(s.charts.c.slug == slug).values(platform=platform))

    def list_charts(self, slugs: list[str]) -> None:
        names = {slug: name for slug, name, *_ in CHARTS}
        lines = [f"  - slug: {slug}\n    name: {names.get(slug, slug)}\n" for slug in slugs]
        self.file.write_text(f"charts:\n{''.join(lines)}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("table")
    url = f"sqlite:///{folder}/soundcharts.db"
    with closing(Warehouse(url)) as warehouse:
        with warehouse.write() as conn:
            rows = [
                {"slug": slug, "name": slug, "platform": platform, "country_code": country}
                for slug, _, platform, country, _ in CHARTS
            ]
            conn.execute(s.charts.insert(), rows)
            for slug, *_, ago in CHARTS:
                if ago is not None:
                    at, day = noon(TODAY - timedelta(days=ago)), TODAY - timedelta(days=ago + 1)
                    known = {"chart_slug": slug, "rank_date": day, "published_at": str(day)}
                    conn.execute(s.ranking_days.insert(), [known | {"checked_at": at, "saved_at": at}])
        place = Place(Client(""), warehouse, folder / "charts.yaml")
        place.list_charts(SLUGS)
        with serving(place.file, url) as client:
            place.client = client
            yield place


@pytest.fixture
def visitor(place: Place) -> Iterator[Visitor]:
    with visiting(place.client.url) as visitor:
        yield visitor


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    expect.set_options(timeout=LONGEST_MS)
    with chromium.new_context() as context:
        context.set_default_timeout(LONGEST_MS)
        yield context


@pytest.fixture
def page(context: BrowserContext, place: Place) -> Iterator[Page]:
    page = opened(context, place)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


def opened(context: BrowserContext, place: Place, query: str = "", *, stopped: bool = False) -> Page:
    """The dashboard in a new tab, signed in. `stopped`: its clock goes on when it is told to."""
    page = context.new_page()
    if stopped:
        page.clock.install()
    page.goto(f"{place.client.url}{PREFIX}/{query}")
    if "/login/" in page.url:
        page.get_by_label("Admin token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").press("Enter")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    # Its script takes part from then on.
    page.wait_for_load_state()
    return page


def shown(page: Page) -> list[str]:
    ids: list[str] = page.locator("#rows tr:visible").evaluate_all("rows => rows.map((row) => row.id)")
    return [one.removeprefix("chart-") for one in ids]


def test_an_address_that_is_shared_shows_the_same_without_the_script(visitor: Visitor) -> None:
    for query, wanted in VIEWS:
        page = visitor.get(f"/?{query}").text
        rows = re.findall(r'<tr( hidden)? id="chart-([^"]*)"', page)
        assert [slug for hidden, slug in rows if not hidden] == wanted, query
        assert sorted(slug for _, slug in rows) == sorted(SLUGS), "a poll must find every row"
        told = re.findall("([0-9]+ of [0-9]+) shown", page)
        assert told == ([f"{len(wanted)} of 4"] if query.startswith("q=") or wanted == ["a-top"] else []), query


def test_the_headings_lead_there_without_the_script_too(visitor: Visitor) -> None:
    def led(query: str) -> tuple[str, str]:
        [(sorted_, address)] = re.findall(
            '<th scope="col" data-sort="name" aria-sort="(.*?)"><a href="(.*?)">', visitor.get(f"/{query}").text
        )
        return sorted_, address.removeprefix(f"{PREFIX}/").replace("&amp;", "&")

    assert led("?q=top") == ("none", "?q=top&sort=name")
    assert led("?q=top&sort=name") == ("ascending", "?q=top&sort=-name")
    assert led("?q=top&sort=-name") == ("descending", "?q=top")
    assert led("?sort=synced") == ("none", "?sort=name")


def test_what_is_searched_for_is_text(visitor: Visitor) -> None:
    page = visitor.get("/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in page
    assert 'value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in page


def test_long_answers_are_compressed_for_those_who_take_it(visitor: Visitor) -> None:
    packed, plain = visitor.get(), visitor.get(headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 4
    assert packed.headers["Content-Security-Policy"] == plain.headers["Content-Security-Policy"]
    assert "Content-Encoding" not in plain.headers


def test_the_script_finds_and_orders_as_the_server_does(page: Page, context: BrowserContext, place: Place) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/tasks/" not in request.url else None)
    for query, wanted in VIEWS[:-1]:
        chosen = dict(parse_qsl(query))
        page.get_by_label("Find").fill(chosen.get("q", ""))
        page.get_by_label("Status").select_option(chosen.get("status", ""))
        page.get_by_label("Order").select_option(chosen.get("sort", ""))
        assert shown(page) == wanted, query
        expect(page).to_have_url(f"{place.client.url}{PREFIX}/" + (f"?{query}" if query else ""))
    assert {url for url in asked if not url.endswith("icon.svg")} == set()
    assert folded_otherwise(page) == []
    for query, wanted in VIEWS:
        other = opened(context, place, f"?{query}")
        assert shown(other) == wanted, query
        # From there back to the order of charts.yaml.
        other.get_by_label("Find").fill("")
        other.get_by_label("Status").select_option("")
        other.get_by_label("Order").select_option("")
        assert shown(other) == SLUGS, query
        other.close()


def folded_otherwise(page: Page) -> list[tuple[str, str]]:
    """Texts of which the script makes something else than the server does."""
    known = [chr(n) for n in range(0xA0, sys.maxunicode) if unicodedata.category(chr(n))[0] in "LMNPSZ"]
    # Its letters of the other case are the plain ones.
    letters = [letter for letter in known if "CHEROKEE" not in unicodedata.name(letter, "")]
    texts = [*(f"x{letter}y {letter}" for letter in letters), *letters, *itertools.chain(*SEARCHES.values()), *SEARCHES]
    found = page.evaluate("texts => texts.map(folded)", texts)
    return [(text, one) for text, one in zip(texts, found, strict=True) if one != folded(text)]


def test_an_address_leads_there_through_the_sign_in(chromium: Browser, place: Place) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = opened(context, place, "?q=viral+fr&sort=-name")
        assert shown(page) == ["c-viral"]
        page.get_by_label("Find").fill("viral")
        page.get_by_role("button", name="Show").click()
        assert shown(page) == ["c-viral", "b-viral"]
        page.get_by_role("link", name="Chart", exact=True).click()
        assert shown(page) == ["b-viral", "c-viral"]


def test_headings_order_by_keyboard_and_say_so(page: Page) -> None:
    heading = page.get_by_role("columnheader", name="Chart")
    link = page.get_by_role("link", name="Chart", exact=True)
    for sort, wanted in [("ascending", BY_NAME), ("descending", BY_NAME[::-1]), ("none", SLUGS)]:
        link.press("Enter")
        expect(heading).to_have_attribute("aria-sort", sort)
        assert shown(page) == wanted
        expect(link).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.get_by_label("Order")).to_be_visible()
    page.wait_for_function("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_what_was_chosen_survives_what_changes(page: Page, place: Place) -> None:
    field, told = page.get_by_label("Find"), page.get_by_role("search").get_by_role("status")
    page.get_by_label("Order").select_option("-name")
    field.press_sequentially("spotify")
    expect(told).to_have_text("2 of 4 shown")
    page.evaluate("window.sameAsBefore = true; window.row = document.getElementById('chart-c-viral')")
    try:
        place.move("d-top", "spotify")
        expect(told).to_have_text("3 of 4 shown")
        assert shown(page) == ["d-top", "c-viral", "b-viral"]
        place.move("c-viral", "deezer")
        expect(told).to_have_text("2 of 4 shown")
        assert shown(page) == ["d-top", "b-viral"]
        place.list_charts(["m-spotify", *reversed(SLUGS)])
        expect(page.locator("#chart-m-spotify")).to_be_visible()
        expect(told).to_have_text("3 of 5 shown")  # nothing is known of its platform; its slug has the word
        assert shown(page) == ["d-top", "m-spotify", "b-viral"]
    finally:
        place.move("d-top", "shazam")
        place.move("c-viral", "spotify")
        place.list_charts(SLUGS)
    expect(field).to_be_focused()
    expect(field).to_have_value("spotify")
    expect(told).to_have_text("2 of 4 shown")
    assert shown(page) == ["c-viral", "b-viral"]
    assert page.evaluate("window.sameAsBefore && window.row === document.getElementById('chart-c-viral')")


def test_a_number_that_means_nothing_brings_all_and_the_choice_stays(page: Page) -> None:
    page.get_by_label("Order").select_option("-name")
    page.get_by_label("Find").fill("viral")
    page.evaluate("document.getElementById('live').dataset.since = '0-0'")
    expect(page.locator("#live")).not_to_have_attribute("data-since", "0-0")
    assert shown(page) == ["c-viral", "b-viral"]
    page.get_by_label("Order").select_option("")
    page.get_by_label("Find").fill("")
    assert shown(page) == SLUGS


def test_a_tab_that_nobody_sees_asks_nothing(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, stopped=True)
    with page.expect_request("**/tasks/**"):
        page.clock.run_for(10_000)
    expect(page.locator("#connection")).to_have_text("Live")
    polls: list[Request] = []
    page.on("request", lambda request: polls.append(request) if "/tasks/" in request.url else None)

    def show(hidden: str) -> None:
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    show("true")
    for _ in range(5):
        page.clock.run_for(10_000)
        # By the time that this is answered, a poll would be too, and the next one due.
        page.evaluate("() => fetch(location.href).then((answer) => answer.text())")
    assert polls == []
    with page.expect_request("**/tasks/**"):
        show("false")
