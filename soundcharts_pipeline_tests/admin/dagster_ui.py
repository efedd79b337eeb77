"""Dagster's own UI in a browser, as people use it: the asset graph, the dialog of partitions, a backfill's page."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.scheduler.instigation import TickStatus
from playwright.sync_api import Page, expect

from soundcharts_pipeline.cli.processes.dev import LOCATION
from soundcharts_pipeline_tests.admin.site import wait_for
from soundcharts_pipeline_tests.support.dagster_site import ask

EVALUATE = """mutation ($sensor: SensorSelector!) { sensorDryRun(selectorData: $sensor, cursor: null) {
  ... on DryRunInstigationTick { evaluationResult { skipReason runRequests { runKey } error { message } } }
  ... on Error { message }
} }"""


def launch_backfill(page: Page, url: str, assets: str, charts: Iterable[str], days: str) -> str:
    """Materialize the assets of a selection (`+key:"artist_metadata"`) for these charts and days (`2026-11-20`,
    `[2026-11-19...2026-11-20]`); returns the id of the backfill."""
    page.goto(f"{url}/asset-groups~{quote(assets, safe='')}/")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog").filter(has_text="Partition selection")
    # The box stands there twice for a moment.
    dialog.get_by_text("Select a partition or create one").first.click()
    for chart in charts:
        page.get_by_role("menuitem", name=chart).click()
    dialog.get_by_text("Launch runs to materialize").click()
    expect(page.get_by_placeholder("Filter partitions")).to_have_count(0)
    of_days = dialog.get_by_placeholder("ex: ")
    of_days.click()
    of_days.fill(days)
    of_days.press("Tab")
    expect(dialog.get_by_text(re.compile(r"^[1-9]\d* partitions?$"))).to_be_visible()
    dialog.get_by_role("button", name="Launch backfill").click()
    told = page.get_by_text(re.compile(r"^Created backfill \w+"))
    expect(told).to_be_visible()
    found = re.search(r"backfill (\w+)", told.inner_text())
    assert found, told.inner_text()
    return found[1]


def cancel_backfill(page: Page, url: str, backfill: str) -> None:
    """From the backfill's page. Dagster does it at its daemon's next look."""
    page.goto(f"{url}/runs/b/{backfill}")
    page.get_by_role("button").filter(has=page.get_by_role("img", name="expand_more")).click()
    page.get_by_role("menuitem", name="Cancel backfill").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel backfill").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def status_of(instance: dg.DagsterInstance, backfill: str) -> BulkActionStatus:
    found = instance.get_backfill(backfill)
    assert found is not None
    return found.status


def wait_for_a_look(instance: dg.DagsterInstance, sensor: str) -> None:
    """Until the daemon has evaluated the sensor once more."""
    [state] = [one for one in instance.all_instigator_state() if one.instigator_name == sensor]
    origin, selector, now = state.instigator_origin_id, state.selector_id, datetime.now(UTC).timestamp()
    over = [TickStatus.SUCCESS, TickStatus.SKIPPED]
    wait_for(sensor, lambda: instance.get_ticks(origin, selector, after=now, statuses=over))


def evaluate(url: str, sensor: str) -> dict[str, Any]:
    """What the sensor says now (*Preview tick result*); nothing is launched."""
    selector = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION, "sensorName": sensor}
    result: dict[str, Any] = ask(url, EVALUATE, sensor=selector)["sensorDryRun"]["evaluationResult"]
    assert result["error"] is None, result["error"]
    return result
