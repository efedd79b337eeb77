"""The dashboard's polls: a tab that takes what changed shows what a new one does, and nothing is sent twice."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from soundcharts_pipeline.admin.pages.board import Boards
from soundcharts_pipeline.admin.pages.chart_table import TableView
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline.admin.state.live import SLOW_LOOK, Live
from soundcharts_pipeline.clock import standing_still, utc_now
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.health import RunState
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import NOBODY, PREFIX, Client
from soundcharts_pipeline_tests.admin.visitor import visiting
from soundcharts_pipeline_tests.support.today import TODAY, noon

CHARTS = [f"chart-{number}" for number in range(12)]


@dataclass
class World:
    """Charts that change, and somebody who looks now and then."""

    live: Live
    file: Path
    now: datetime

    def write(self, slugs: list[str]) -> None:
        self.file.write_text("charts:\n" + "".join(f"  - slug: {slug}\n" for slug in slugs))

    def move(self, slug: str, platform: str) -> None:
        with self.live.warehouse.write() as conn:
            conn.execute(s.charts.delete().where(s.charts.c.slug == slug))
            conn.execute(s.charts.insert(), [{"slug": slug, "name": slug, "platform": platform}])

    def run(self, number: int, slug: str, **facts: Any) -> None:
        run = RunState(
            run_id=f"run-{number}",
            chart=slug,
            first=TODAY,
            last=TODAY,
            state="pending",
            trigger="api",
            steps=("chart_rankings",),
            created_at=self.now,
        )
        self.live.note(replace(run, **facts))

    def look(self) -> None:
        """Dagster is away, and stays so; all else is looked at."""
        self.now += SLOW_LOOK
        self.live.look(self.now)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    file = tmp_path / "charts.yaml"
    file.write_text("charts:\n" + "".join(f"  - slug: {slug}\n" for slug in CHARTS))
    with closing(Warehouse(f"sqlite:///{tmp_path}/soundcharts.db")) as warehouse:
        world = World(Live(file, Dagster(NOBODY), warehouse, clock=standing_still(noon(TODAY))), file, noon(TODAY))
        world.look()
        yield world


class Tab:
    """What a browser holds: pieces by their ids, and which of them are in each list."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self.seen = re.sub(r"-\d+$", "-0", boards.whole(TableView(), PREFIX, may_change=True)[0])
        self.pieces: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}

    def poll(self) -> list[str] | None:
        """The ids of what came; None for nothing."""
        answer = self._boards.since(self.seen, PREFIX, may_change=True)
        if not answer:
            assert answer == b""
            return None
        said = json.loads(answer)
        self.seen = said["since"]
        self.pieces |= said["pieces"]
        self.lists |= said["lists"]
        return [*said["pieces"], *said["lists"]]

    @property
    def shown(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        listed = {one for ids in self.lists.values() for one in ids}
        shown = {
            id_: html for id_, html in self.pieces.items() if id_ in listed or not id_.startswith(("chart-", "task-"))
        }
        # How long ago is for each page to count on.
        return {id_: re.sub(r"(<time[^>]*>)[^<]*", r"\1", html) for id_, html in shown.items()}, self.lists


def test_what_changed_is_sent_once_and_nothing_else(world: World) -> None:
    boards = Boards(world.live, Renderer("http://ui"))
    tab = Tab(boards)
    assert len(tab.poll() or []) == 8 + len(CHARTS) + 2
    world.look()
    assert tab.poll() is None

    world.move("chart-3", "spotify")
    world.look()
    assert tab.poll() == ["chart-chart-3"]
    assert "spotify" in tab.pieces["chart-chart-3"]
    assert tab.poll() is None
    world.run(1, "chart-5")
    changed = tab.poll()
    assert changed is not None
    assert {"at-work", "nothing-at-work", "task-run-1-chart-5", "tasks"} <= set(changed)
    assert "rows" not in changed
    assert [one for one in changed if one.startswith("chart-")] in ([], ["chart-chart-5"])


def test_hours_that_pass_change_nothing_but_the_moment_it_is_from(world: World) -> None:
    ended, error = utc_now(), RunError("chart_rankings", "NetworkError", "no answer")
    world.run(1, "chart-5", state="complete", started_at=ended, ended_at=ended)
    world.run(2, "chart-6", state="failed", started_at=ended, ended_at=ended, error=error)
    tab = Tab(Boards(world.live, Renderer("http://ui", clock=lambda: world.now)))
    tab.poll()
    assert all('class="age"' in tab.pieces[one] for one in ("chart-chart-5", "errors"))

    world.now += timedelta(hours=5)
    world.look()
    assert tab.poll() == ["as-of"]


@pytest.mark.parametrize("seed", range(3))
def test_whenever_a_tab_looks_it_shows_what_a_new_one_does(world: World, seed: int) -> None:
    chance = random.Random(seed)
    boards = Boards(world.live, Renderer("http://ui"))
    tabs = [Tab(boards) for _ in range(3)]

    def change(number: int) -> None:
        slug = chance.choice(world.live.settings.slugs)
        match chance.randrange(4):
            case 0:
                world.move(slug, f"platform {number}")
            case 1:
                world.write(chance.sample(CHARTS, chance.randint(1, len(CHARTS))))
            case 2:
                world.run(number, slug, state=chance.choice(["pending", "processing"]))
            case _:
                ended = world.now - timedelta(days=chance.randint(0, 9))
                world.run(number, slug, state="complete", started_at=ended, ended_at=ended)
        world.look()

    for number in range(12):
        change(number)
        for tab in chance.sample(tabs, 2):
            tab.poll()
    fresh = Tab(boards)
    for tab in [fresh, *tabs]:
        tab.poll()
        assert tab.shown == fresh.shown
        assert tab.poll() is None


def test_numbers_of_another_server_and_made_up_ones_mean_all_of_it(world: World) -> None:
    boards, other = Boards(world.live, Renderer("http://ui")), Boards(world.live, Renderer("http://ui"))
    seen, _ = other.whole(TableView(), PREFIX, may_change=True)
    ours, _ = boards.whole(TableView(), PREFIX, may_change=True)

    for one in (seen, "", "1", "x-y", f"{ours}0", f"{ours}.0", f"{ours}\u0662", f"{ours}{'9' * 5_000}", "-1"):
        assert boards.since(one, PREFIX, may_change=True) is None, one
    # What one kind of reader has seen is nothing to another.
    assert boards.since(ours, PREFIX, may_change=False) is None
    assert boards.since(ours, "/music" + PREFIX, may_change=True) is None


def test_a_poll_over_http_is_empty_or_json_or_all_of_it(client: Client) -> None:
    with visiting(client.url) as visitor:
        page = visitor.get()
        since = re.findall(r'data-since="([^"]+)"', page.text)[0]
        poll = visitor.get(f"/tasks/?since={since}")
        whole = visitor.get("/tasks/?since=0-0")

    # A minute may have begun in between, and Live is at work.
    assert (poll.status_code, poll.text) == (204, "") or poll.json()["pieces"].keys() <= {"as-of", "problems", "totals"}
    assert whole.headers["Content-Type"].startswith("text/html")
    assert whole.headers["X-Since"].partition("-")[0] == since.partition("-")[0]
    assert whole.text.count("<tr id=") == 2
    assert page.text.count('class="age"') == page.text.count(" ago</time>") + page.text.count(">in ")
