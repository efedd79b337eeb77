"""The pages in a real browser (Debian's chromium) against a running `serve`, as somebody on call uses them."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from soundcharts_pipeline_tests.admin.running import Site, running_serve
from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN

SLUG, UNKNOWN = "viral-50-global", "nowhere-28"
CHARTS = f"""
defaults:
  schedule: "0 0 1 1 *"
  first_date: {{first_date}}
  history_days: 7
  heal_days: 0
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
charts:
  - slug: {SLUG}
    name: Viral 50
  - slug: {UNKNOWN}
"""
# For a run on a busy machine; no promise.
LONGEST_MS = 120_000
# Makes the bar move in many small steps.
LATENCY = 0.3


@dataclass
class Window:
    """A page that notes what its console complains of, failed requests and breaches of the content policy included."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    def sign_in(self) -> None:
        self.page.goto(f"{self.url}{PREFIX}/")
        expect(self.page).to_have_url(re.compile("/login/"))
        self.page.get_by_label("Admin token").fill(TOKEN)
        self.page.get_by_role("button", name="Sign in").press("Enter")
        expect(self.page.get_by_role("heading", name="Dashboard")).to_be_visible()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_serve(tmp_path_factory.mktemp("browser"), CHARTS) as site:
        yield site


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def window(site: Site, chromium: Browser) -> Iterator[Window]:
    with chromium.new_context() as context:
        context.set_default_timeout(LONGEST_MS)
        expect.set_options(timeout=LONGEST_MS)
        window = Window(context.new_page(), site.client.url)
        window.watch()
        window.sign_in()
        yield window


def test_a_cascade_is_started_watched_and_seen_on_the_charts_page(site: Site, window: Window) -> None:
    page = window.page
    site.simulator.set(latency=LATENCY)
    button = page.get_by_role("button", name="Trigger cascade of Viral 50")
    button.focus()
    button.dblclick()
    expect(page.locator("#said")).to_contain_text(re.compile("was started|already (queued|running)"))

    bar = page.get_by_role("progressbar", name=re.compile(SLUG))
    expect(bar).to_have_count(1)
    told: list[int] = []
    row = page.get_by_role("row", name=re.compile("Viral 50"))
    expect(page.locator(".percent")).to_have_text(re.compile(r"^([1-9]|[1-8]\d) %$"))
    told.append(int(bar.get_attribute("value") or 0))
    site.simulator.set(latency=0.02)
    # The page follows by itself: nothing is loaded again.
    expect(page.locator(".task.complete progress")).to_have_attribute("value", "100")
    told.append(int(page.locator(".task.complete progress").get_attribute("value") or 0))
    expect(row).to_contain_text("healthy")
    expect(button).to_be_focused()
    assert 0 < told[0] < told[1] == 100
    (task,) = site.client.status(SLUG)["tasks"]
    assert (task["status"], task["trigger"], task["progress"]) == ("complete", "dashboard", 100)

    page.get_by_role("link", name="Viral 50").first.click()
    expect(page).to_have_url(f"{site.client.url}{PREFIX}/chart/{SLUG}/")
    figure = page.locator("main img").first
    expect(figure).to_be_visible()
    figure.scroll_into_view_if_needed()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=figure.element_handle())
    assert figure.get_attribute("alt")
    assert window.complaints == []


def test_a_failure_is_shown_with_its_remedy_and_its_run(site: Site, window: Window) -> None:
    page = window.page
    page.get_by_role("button", name=f"Trigger cascade of {UNKNOWN}").click()
    expect(page.locator("#said")).to_contain_text(UNKNOWN)
    # The browser itself notes an answer that is a refusal.
    assert all(re.search("status of (400|503)", text) for text in window.complaints)
    window.complaints.clear()

    task_id = site.client.trigger(UNKNOWN, site.newest(SLUG)).json()["task_id"]
    failure = page.locator(".failure").filter(has_text="Unknown chart")
    expect(failure).to_contain_text("charts search")
    expect(failure.get_by_role("link", name="Run in Dagster")).to_have_attribute("href", re.compile(task_id))
    expect(page.get_by_role("row", name=re.compile(UNKNOWN))).to_contain_text("1 error")
    assert window.complaints == []
