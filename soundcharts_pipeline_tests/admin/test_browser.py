"""The pages in a real browser (Debian's chromium) against a running `serve`, as somebody on call uses them."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline_tests.admin.dagster_ui import (
    cancel_backfill,
    evaluate,
    launch_backfill,
    status_of,
    wait_for_a_look,
)
from soundcharts_pipeline_tests.admin.running import Site, running_serve
from soundcharts_pipeline_tests.admin.site import PREFIX, READ_TOKEN, TOKEN, processes_of, wait_for
from soundcharts_pipeline_tests.admin.visitor import visiting
from soundcharts_pipeline_tests.support.command_line import run

SLUG, UNKNOWN = "viral-50-global", "nowhere-28"
# Of these everything would be started again that can be: by the cascade sensor and by the healing sensor.
HEALED = [INDIA, STATES, FRANCE] = ["viral-50-in", "viral-50-us", "viral-50-fr"]
ALL = len([SLUG, UNKNOWN, *HEALED])
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
""" + "".join(f"  - {{{{slug: {slug}, heal_days: 14, report: false}}}}\n" for slug in HEALED)
# For a run on a busy machine; no promise.
LONGEST_MS = 120_000
# Makes the bar move in many small steps.
LATENCY = 0.3
# Makes the series of a backfill last until Dagster's daemon looks at what is canceled.
LONG_LATENCY = 4.0


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

    def sign_in(self, token: str = TOKEN) -> None:
        self.page.goto(f"{self.url}{PREFIX}/")
        expect(self.page).to_have_url(re.compile("/login/"))
        self.page.get_by_label("Admin token").fill(token)
        self.page.get_by_role("button", name="Sign in").press("Enter")
        expect(self.page.get_by_role("heading", name="Dashboard")).to_be_visible()
        # Its script takes part from then on.
        self.page.wait_for_load_state()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_serve(tmp_path_factory.mktemp("browser"), CHARTS, SOUNDCHARTS_MAX_IN_FLIGHT="4") as site:
        yield site


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


def test_a_chart_that_is_added_and_time_that_passes_show_by_themselves(site: Site, window: Window) -> None:
    page, file = window.page, Path(site.environ["SOUNDCHARTS_CHARTS"])
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(ALL)
    page.evaluate("window.sameAsBefore = true")
    # Whatever a page was told long ago, it counts on by itself.
    page.locator("time.age").first.evaluate("(node) => { node.textContent = 'long ago'; }")
    before = file.read_text()
    file.write_text(before.replace("charts:\n", "charts:\n  - slug: shazam-top-200-world\n"))
    try:
        expect(rows).to_have_count(ALL + 1)
        expect(rows.first).to_contain_text("shazam-top-200-world")
        expect(page.locator("time.age").first).to_have_text(re.compile(r"^(now|in \d+ \w+|\d+ \w+ ago)$"))
    finally:
        file.write_text(before)
    expect(rows).to_have_count(ALL)
    assert page.evaluate("window.sameAsBefore")
    assert window.complaints == []


def test_whoever_only_looks_has_nothing_to_press(site: Site, chromium: Browser) -> None:
    with chromium.new_context() as context:
        window = Window(context.new_page(), site.client.url)
        window.watch()
        window.sign_in(READ_TOKEN)
        expect(window.page.locator("#rows tr")).to_have_count(ALL)
        expect(window.page.locator("#connection")).to_have_text("Live")
        expect(window.page.get_by_role("button", name=re.compile("Trigger"))).to_have_count(0)
        assert window.complaints == []


def test_without_the_script_the_button_leads_back_with_the_task(site: Site) -> None:
    with visiting(site.client.url) as visitor:
        started = visitor.post(f"/chart/{SLUG}/trigger/")
        again = visitor.post(f"/chart/{SLUG}/trigger/")
        page = visitor.session.get(site.client.url + started.headers["Location"], timeout=60)

    assert started.status_code == 303
    assert f"The cascade of {SLUG}|{site.newest(SLUG)} was started" in page.text
    assert again.status_code == 409
    assert "wait for it; the page of the chart tells how far it is" in again.text
    assert site.watch(SLUG, started.headers["Location"].partition("started=")[2])[-1] == 100


def test_a_chart_is_added_on_a_phone_by_keyboard_triggered_and_seen(site: Site, window: Window) -> None:
    page = window.page
    page.set_viewport_size({"width": 390, "height": 800})

    def press(name: str) -> None:
        page.get_by_role("button", name=name).press("Enter")

    def fits() -> None:
        page.wait_for_load_state("load")  # a page whose styles are still on their way is as wide as its longest line
        page.wait_for_function("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.get_by_role("link", name="Configuration").press("Enter")
    fits()
    page.get_by_role("link", name="Add a chart").press("Enter")
    page.get_by_label("Platform to fetch").fill("spotify")
    press("Fetch it")
    expect(page.locator("#said")).to_contain_text("The charts of spotify are saved")
    page.get_by_label("Words of its name").fill("germany viral")
    page.get_by_label("Words of its name").press("Enter")
    fits()
    page.get_by_role("link", name="Add Germany Viral 50").press("Enter")
    page.get_by_label("schedule", exact=True).fill("sometimes")
    press("Preview changes and cost")
    schedule = page.get_by_label("schedule", exact=True)
    expect(schedule).to_have_accessible_description(re.compile("bad schedule 'sometimes'"))
    expect(page.get_by_role("alert")).to_contain_text("Put right what is said beside schedule.")
    # The browser itself notes an answer that is a refusal.
    assert [text for text in window.complaints if "status of 400" not in text] == []
    window.complaints.clear()
    fits()
    schedule.fill("weekly on monday at 06:00")
    page.get_by_label("first_date", exact=True).fill(str(site.newest(SLUG)))
    press("Preview changes and cost")
    expect(page.get_by_role("row", name="in all")).to_contain_text("about")
    fits()
    press("Add it")
    expect(page.locator("#said")).to_contain_text("The settings are saved in charts.yaml")
    fits()

    press("Trigger cascade of Germany Viral 50")
    expect(page.locator("#said")).to_contain_text("was started")
    page.get_by_role("link", name="Dashboard").click()
    row = page.get_by_role("row", name=re.compile("Germany Viral 50"))
    expect(row).to_contain_text("weekly on monday at 06:00")
    expect(row).to_contain_text("healthy")
    row.get_by_role("link", name="Germany Viral 50").click()
    expect(page.get_by_role("heading", name="All 50 places")).to_be_visible()
    assert window.complaints == []


def test_charts_and_days_selected_in_dagsters_dialog_are_a_task_of_each_chart(site: Site, window: Window) -> None:
    first, last = _days(site, ago=1, days=2)
    ui = window.page.context.new_page()
    launch_backfill(ui, site.dagster_url, '+key:"audience_trends"', HEALED, f"{first}, {last}")
    ui.close()
    for slug in HEALED:
        task = window.page.get_by_role("article", name=f"{slug}|{first}...{slug}|{last}", exact=True)
        expect(task.locator("progress")).to_have_attribute("value", "100")
        expect(task).to_contain_text("complete")
        expect(window.page.get_by_role("row", name=slug)).to_contain_text("healthy")
        [told] = site.client.status(slug)["tasks"]
        assert (told["status"], told["trigger"]) == ("complete", "backfill")
    assert window.complaints == []


def test_a_backfill_that_is_canceled_in_dagsters_ui_is_started_again_by_nothing(site: Site, window: Window) -> None:
    first, last = _days(site, ago=4, days=4)
    ui = window.page.context.new_page()
    days = f"[{first}...{last}]"
    site.simulator.set(latency=1.0)
    backfill = launch_backfill(ui, site.dagster_url, '+key:"track_audience/spotify"', [INDIA, STATES], days)
    # One of its rankings is there, and the series of its tracks are on their way.
    tasks = {slug: f"{slug}|{first}...{slug}|{last}" for slug in (INDIA, STATES)}
    wait_for("the ranking", lambda: _step_of(site, INDIA, tasks[INDIA]))
    site.simulator.set(latency=LONG_LATENCY)
    wait_for("the series", lambda: _step_of(site, INDIA, tasks[INDIA]) == "track_audience/spotify")
    cancel_backfill(ui, site.dagster_url, backfill)
    with dg.DagsterInstance.from_config(site.environ["DAGSTER_HOME"]) as instance:
        wait_for("the end of the backfill", lambda: status_of(instance, backfill) == BulkActionStatus.CANCELED)
        site.simulator.set(latency=0.02)
        runs, calls = instance.get_run_ids(), site.simulator.counters.total
        assert Dagster(site.dagster_url).canceled_backfills([backfill, "another"]) == {backfill}
        told = evaluate(site.dagster_url, "healing_sensor")
        assert told["runRequests"] == []
        assert f"{INDIA} {first} to {last}: canceled, and not requested again" in told["skipReason"]
        wait_for_a_look(instance, "cascade_sensor")
        assert instance.get_run_ids() == runs
        for slug, task in tasks.items():
            expect(window.page.get_by_role("article", name=task, exact=True)).to_contain_text("canceled")
            expect(window.page.get_by_role("row", name=slug)).to_contain_text("runs of 4 days were canceled")
        assert run(site.environ, "status", INDIA).says("runs of 4 days were canceled", f"with its backfill {backfill}")
        assert (instance.get_run_ids(), site.simulator.counters.total) == (runs, calls)
    assert window.complaints == []


def test_serve_is_told_to_end_after_a_part_was_killed_and_nothing_is_left(site: Site) -> None:
    site.kill("child dagster code-server")
    site.supervisor.send_signal(signal.SIGTERM)

    assert site.supervisor.wait() == 0
    assert processes_of(site.environ) == {}
    said = site.log.read_text()
    assert "Ending. What was saved stays" in said
    assert "Traceback" not in said


def _days(site: Site, *, ago: int, days: int) -> tuple[date, date]:
    last = site.newest(INDIA) - timedelta(days=ago)
    return last - timedelta(days=days - 1), last


def _step_of(site: Site, slug: str, partition: str) -> str | None:
    """What the task is at, once it has its ranking."""
    steps = [task["step"] for task in site.client.status(slug)["tasks"] if task["partition"] == partition]
    return next((step for step in steps if step and step.startswith("track_")), None)
