"""Names of charts are as long as people make them: what stands beside them stays where it can be seen."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page

from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.monitoring.health import Task
from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN, Client, serving

NAMES = {
    "short": "Global",
    "sentence": "Spotify Weekly Top Songs of the United Kingdom of Great Britain and Northern Ireland, all genres, new "
    "releases of the last 28 days only",
    "word": "W" * 200,
    "w" * 120: "",
}
WIDTHS = [1300, 1000, 390]
LONGEST_MS = 120_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("names")
    lines = [
        f"  - slug: {slug}\n    name: {name!r}\n" if name else f"  - slug: {slug}\n" for slug, name in NAMES.items()
    ]
    (folder / "charts.yaml").write_text(f"charts:\n{''.join(lines)}")
    with serving(folder / "charts.yaml", f"sqlite:///{folder}/soundcharts.db") as client:
        yield client


@pytest.fixture
def page(chromium: Browser, client: Client) -> Iterator[Page]:
    with chromium.new_context() as context:
        context.set_default_timeout(LONGEST_MS)
        page = context.new_page()
        page.goto(f"{client.url}{PREFIX}/")
        page.get_by_label("Admin token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").press("Enter")
        page.wait_for_load_state()
        yield page


@pytest.mark.parametrize("width", WIDTHS)
def test_every_trigger_can_be_seen_beside_any_name(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    buttons = page.locator("#rows button")
    assert buttons.count() == len(NAMES)
    for box in [buttons.nth(number).bounding_box() for number in range(len(NAMES))]:
        assert box
        assert box["x"] + box["width"] <= width
    sizes = page.locator(".scroll:has(#rows)").evaluate("one => [one.scrollWidth, one.clientWidth]")
    assert width == 1000 or sizes[0] <= sizes[1], "the table has room for all"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(page: Page, client: Client, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    of_charts = (f"/chart/{slug}/{part}" for slug in NAMES for part in ("", "settings/", "remove/"))
    wider = {}
    for path in ["/", "/configuration/", "/charts/add/?q=w", *of_charts]:
        page.goto(client.url + PREFIX + path)
        size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        if size[0] > size[1]:
            wider[path[:30] + path[-10:]] = size
    assert wider == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_name_at_work_stays_off_its_bar(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for slug, name in NAMES.items():
        task = Task(
            task_id=slug,
            chart=slug,
            partition=f"{slug}|2026-11-20",
            status="processing",
            trigger="cli",
            progress=40,
            step="track_metadata",
            calls_per_second=3.0,
            seconds_left=60,
            logs_url="/runs/x",
            started_at=now,
            finished_at=None,
            error=None,
        )
        piece = Renderer("").piece("task", f"task-{slug}", task, name or slug, PREFIX, True)
        page.locator("#tasks").evaluate("(all, piece) => all.insertAdjacentHTML('beforeend', piece)", piece)
    assert (
        page.locator(".task-name").evaluate_all("all => all.filter((one) => one.scrollWidth > one.clientWidth).length")
        == 0
    )
