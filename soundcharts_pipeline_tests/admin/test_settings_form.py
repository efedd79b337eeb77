"""The form of a chart's settings as a browser draws it, on a desk and on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from soundcharts_pipeline.config.chart_keys import KEYS
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN, Client, serving
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY

# Two keys of its own have a box below them that takes them off.
CHARTS = f"""\
charts:
  - slug: {SLUG}
    follow_days: 3
    track_audience_platforms: [spotify, line-music]
"""
OTHER = "shazam-top-200-world"
FORMS = [f"/chart/{SLUG}/settings/", f"/charts/add/{OTHER}/"]
WIDTHS = [1280, 360]
NEAR = 16
LONGEST_MS = 120_000
# Of each box: its name, its edges, and those of the first line of what its label says.
BOXES = """labels => labels.map((label) => {
  const box = label.querySelector("input"), said = document.createRange();
  said.setStartAfter(box);
  said.setEndAfter(label.lastChild);
  const words = [...said.getClientRects()].filter((rect) => rect.width > 4);
  const edges = ({ left, right, top, bottom }) => ({ left, right, top, bottom });
  return { name: box.name, box: edges(box.getBoundingClientRect()), words: edges(words[0]) };
})"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    file = tmp_path_factory.mktemp("form") / "charts.yaml"
    file.write_text(CHARTS)
    with (
        Simulator(today=TODAY) as soundcharts,
        serving(file, f"sqlite:///{file.parent}/soundcharts.db", simulator=soundcharts) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def page(client: Client, chromium: Browser) -> Iterator[Page]:
    """Somebody signed in, at a site whose catalog has the other chart."""
    expect.set_options(timeout=LONGEST_MS)
    with chromium.new_context(base_url=client.url) as context:
        context.set_default_timeout(LONGEST_MS)
        page = context.new_page()
        page.goto(f"{PREFIX}/charts/add/")
        page.get_by_label("Admin token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Slug", exact=True).fill(OTHER)
        page.get_by_role("button", name="Look it up").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Add ")
        yield page


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("form", FORMS)
def test_every_box_stands_on_the_line_of_its_own_label(page: Page, form: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(PREFIX + form)
    found = page.locator("label:has(input[type=checkbox])").evaluate_all(BOXES)
    assert {one["name"] for one in found} >= _boxes()
    assert _apart(found) == []
    assert page.locator("input[type=checkbox]").count() == len(found)
    expect(page.locator("input[name='reset.follow_days']")).to_have_count(1 if form == FORMS[0] else 0)


def _boxes() -> set[str]:
    """The names of all boxes that a form has at least."""
    platforms = {f"{key.name}.{word}" for key in KEYS if key.kind == "platforms" for word in key.choices}
    return platforms | {key.name for key in KEYS if key.kind == "flag"}


def _apart(found: list[dict[str, Any]]) -> list[str]:
    """The boxes that are not just left of their own words, on one line with them."""
    apart = []
    for one in found:
        box, words = one["box"], one["words"]
        middle = (box["top"] + box["bottom"]) / 2
        if not (words["top"] < middle < words["bottom"] and 0 <= words["left"] - box["right"] < NEAR):
            apart.append(one["name"])
    return apart
