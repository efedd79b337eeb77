"""Every row of the table in docs/operations.md that says what a status means, from a chart's facts to exit code and
colour."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import soundcharts_pipeline
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import RunError
from soundcharts_pipeline.monitoring.chart_status import chart_health
from soundcharts_pipeline.monitoring.facts import chart_facts
from soundcharts_pipeline.monitoring.health import GOOD, ChartFacts, FailedTick, RunState, TaskState, newest_first
from soundcharts_pipeline.storage.endpoint_states import EndpointState
from soundcharts_pipeline.storage.queries.chart_states import ChartState
from soundcharts_pipeline.troubleshooting import CANCELED, RUN_FAILED

PACKAGE = Path(soundcharts_pipeline.__file__).parent
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
LAST_NIGHT = NOW - timedelta(hours=10)
EVERY_DAY = [date(2026, 11, number) for number in range(1, 21)]
BROKEN = RunError("track_audience/spotify", "NetworkError", "api.example does not answer")
KILLED = RunError("", RUN_FAILED, "the process was ended by SIGKILL")
EARLY = RunError("chart_rankings", "NotPublished", "the newest published day is 2026-11-20")
COLOURS = {"--good": "green", "--warn": "amber", "--bad": "red", "--muted": "grey"}

CHART = ChartSettings(
    slug="global-28",
    name="Global",
    first_date=EVERY_DAY[0],
    track_audience_platforms=("spotify",),
    trigger_artist_metadata=False,
    artist_audience_platforms=(),
)
STEPS = ("chart_rankings", "track_metadata", "track_audience/spotify")
REFUSED = EndpointState(
    scope="track/spotify/streams", refused_since=NOW, refused_at=NOW, refused_runs=1, status=403, message="not in plan"
)
# Two hours ago.
NO_TICK = FailedTick(NOW - timedelta(hours=2), RunError("", "AuthenticationError", "the credentials are refused"))
Scenario = tuple[ChartFacts, list[RunState]]


def facts(
    *,
    saved: Iterable[date] = EVERY_DAY,
    found: timedelta = timedelta(hours=10),
    saved_at: datetime = LAST_NIGHT,
    frequency: str = "daily",
    refusing: Iterable[EndpointState] = (),
    tick: FailedTick | None = None,
    **settings: object,
) -> ChartFacts:
    """The chart with all days published; the newest was found to be so that long ago."""
    chart = replace(CHART, **settings)  # type: ignore[arg-type]
    days = frozenset(saved)
    state = ChartState(
        platform="spotify",
        frequency=frequency,
        published=dict.fromkeys(EVERY_DAY, NOW - timedelta(days=30)) | {TODAY: NOW - found},
        saved=days,
        saved_at=saved_at if days else None,
    )
    return chart_facts(Settings({chart.slug: chart}), chart, state, None, refusing, tick)


def run(
    state: TaskState,
    first: date = TODAY,
    last: date | None = None,
    *,
    hours: float = 1,
    trigger: str = "cli",
    error: RunError | None = None,
    steps: Iterable[str] | None = None,
) -> RunState:
    """A run of some days that ended, or began, so many hours ago; one that fails does so in its last step."""
    at = NOW - timedelta(hours=hours)
    ended = {"complete": STEPS, "failed": STEPS[:2]}.get(state, ())
    return RunState(
        run_id=f"{state}-{hours}-{first}",
        chart=CHART.slug,
        first=first,
        last=last or first,
        state=state,
        trigger=trigger,
        steps=STEPS,
        ended_steps=frozenset(ended if steps is None else steps),
        created_at=at,
        started_at=at,
        ended_at=at if state in ("complete", "failed", "canceled") else None,
        error=error or (BROKEN if state == "failed" else None),
    )


def nights(*, but: Iterable[date] = (), hours: float = 10) -> list[RunState]:
    """The schedule has brought every day but these."""
    days = [day for day in EVERY_DAY if day not in set(but)]
    return [run("complete", day, hours=hours + (TODAY - day).days * 24, trigger="schedule") for day in days]


def without(*days: date) -> list[date]:
    return [day for day in EVERY_DAY if day not in days]


def canceled(hours: float = 1) -> RunState:
    return run("canceled", hours=hours, error=RunError("", CANCELED, "the run was canceled"))


NOTHING: Scenario = (facts(saved=()), [])
MISSING = date(2026, 11, 17)
OLD = date(2026, 11, 3)
# A backfill of three days of which one was complete when its last asset failed, and the run of the two others.
HALFWAY = replace(run("failed", EVERY_DAY[0], OLD, hours=8), ended_days={STEPS[2]: frozenset(EVERY_DAY[:1])})
REST = run("complete", EVERY_DAY[1], OLD, hours=7)
LONG_AGO = {"saved_at": NOW - timedelta(hours=38)}

SCENARIOS: dict[str, Scenario] = {
    "nothing was ever tried": NOTHING,
    "its first run is at work": (facts(saved=()), [run("processing")]),
    "its only run was canceled before it saved anything": (facts(saved=()), [canceled()]),
    "the only day that was asked for is not out yet": (facts(saved=()), [run("failed", error=EARLY, steps=())]),
    "its only run was killed before it saved anything": (facts(saved=()), [run("failed", error=KILLED, steps=())]),
    "its only run failed, and nothing is saved": (facts(saved=()), [run("failed", steps=())]),
    "its four runs failed, and nothing is saved": (
        facts(saved=()),
        [run("failed", hours=hours, steps=()) for hours in (1, 2, 3, 4)],
    ),
    "its four runs failed, and the fifth succeeded": (
        facts(),
        [*(run("failed", hours=h, steps=()) for h in (1, 2, 3, 4)), run("complete", EVERY_DAY[0], TODAY, hours=0.5)],
    ),
    "its schedule runs, and every day is there": (facts(), nights()),
    "the newest three days were synced by hand": (facts(saved=EVERY_DAY[-3:]), [run("complete", EVERY_DAY[-3], TODAY)]),
    "an older day was synced by hand, the newest one was not": (facts(saved=[MISSING]), [run("complete", MISSING)]),
    "an account that was looked for does not exist (404)": (facts(), nights()),
    "Soundcharts refuses a platform to the plan": (facts(refusing=[REFUSED]), nights()),
    "the newest day was found published five minutes ago": (
        facts(saved=without(TODAY), found=timedelta(minutes=5)),
        nights(but=[TODAY]),
    ),
    "the newest day was found published an hour ago, and is not there": (
        facts(saved=without(TODAY), found=timedelta(hours=1)),
        nights(but=[TODAY]),
    ),
    "a run is at work on the only day that lacks": (
        facts(saved=without(MISSING)),
        [*nights(but=[MISSING]), run("processing", MISSING)],
    ),
    "a run is at work on another day than those that lack": (
        facts(saved=without(MISSING, OLD)),
        [*nights(but=[MISSING, OLD]), run("processing", OLD)],
    ),
    "a part of a day's assets is there": (
        facts(),
        [*nights(but=[TODAY]), run("complete", steps=STEPS[:2])],
    ),
    "a day older than `heal_days` is missing": (facts(saved=without(OLD)), nights(but=[OLD])),
    "its last run failed": (facts(), [*nights(but=[TODAY]), run("failed")]),
    "its last run was killed": (facts(), [*nights(but=[TODAY]), run("failed", error=KILLED)]),
    "the newest day failed, and older days were backfilled since": (
        facts(),
        [*nights(but=[TODAY, OLD]), run("failed", hours=2), run("complete", OLD)],
    ),
    "the newest day failed, and succeeded since": (
        facts(),
        [*nights(but=[TODAY]), run("failed", hours=2), run("complete")],
    ),
    "a backfill of old days failed halfway, and the newest day succeeded since": (
        facts(),
        [*nights(but=[*EVERY_DAY[:3], TODAY]), run("failed", EVERY_DAY[0], OLD, hours=2), run("complete")],
    ),
    "a backfill failed halfway, and what it had left was synced since": (
        facts(),
        [*nights(but=EVERY_DAY[:3], hours=12), HALFWAY, REST],
    ),
    "its last three runs failed": (facts(), [*nights(but=[TODAY]), *(run("failed", hours=h) for h in (1, 2, 3))]),
    "a run of a day that is not out yet failed": (
        facts(),
        [*nights(), run("failed", TODAY + timedelta(days=1), error=EARLY, steps=())],
    ),
    "the run of the newest day was canceled": (facts(saved=without(TODAY)), [*nights(but=[TODAY]), canceled()]),
    "a backfill was canceled that had brought a part of the newest day": (
        facts(),
        [*nights(but=[TODAY]), replace(run("complete", steps=STEPS[:1]), backfill_canceled=True)],
    ),
    "the newest day failed, and a second run of it was canceled": (
        facts(),
        [*nights(but=[TODAY]), run("failed", hours=2), canceled()],
    ),
    "a day that is there was run again, and that was canceled": (facts(), [*nights(), canceled()]),
    "the run of the newest day was canceled, and the day was asked for again": (
        facts(),
        [*nights(but=[TODAY]), canceled(hours=2), run("complete")],
    ),
    "no new ranking was saved for more than 1.5 periods": (facts(**LONG_AGO), nights()),  # type: ignore[arg-type]
    "the same, of a chart that is published weekly": (facts(**LONG_AGO, frequency="weekly"), nights()),  # type: ignore[arg-type]
    "the same, of a schedule of weekdays alone": (facts(**LONG_AGO, schedule="0 2 * * 1-5"), nights()),  # type: ignore[arg-type]
    "the last tick of its schedule failed": (facts(tick=NO_TICK), nights()),
    "the last tick of its schedule failed, and nothing is saved": (facts(saved=(), tick=NO_TICK), []),
    "the last tick of its schedule failed, and a run by hand succeeded since": (
        facts(tick=NO_TICK),
        [*nights(but=[TODAY]), run("complete")],
    ),
    "a run failed, and the last tick of its schedule since": (
        facts(tick=NO_TICK),
        [*nights(but=[TODAY]), run("failed", hours=3)],
    ),
    "it is not active, and days are missing": (
        facts(active=False, saved=without(MISSING)),
        nights(but=[MISSING]),
    ),
    "it is not active, and a run by hand failed": (facts(active=False), [*nights(but=[TODAY]), run("failed")]),
    "Dagster's state was deleted, the rankings are there": (facts(), []),
}


def told() -> dict[str, tuple[str, ...]]:
    """The table as it stands in the docs: status, reason, task, exit code and colour, by what happened."""
    text = (PACKAGE.parent / "docs" / "operations.md").read_text()
    section = text.partition("## What a status means")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0]: tuple(row[1:]) for row in rows[2:]}


def colour_of(status: str) -> str:
    """What the stylesheet paints a status in."""
    css = (PACKAGE / "admin" / "static" / "pages.css").read_text()
    found = re.search(rf"\.status\.{status} {{ color: var\((--\w+)\); }}", css)
    assert found, status
    return COLOURS[found[1]]


def test_the_table_in_the_docs_has_every_case_that_is_tested_here() -> None:
    assert list(told()) == list(SCENARIOS)


@pytest.mark.parametrize("what", SCENARIOS)
def test_a_status_is_what_the_table_in_the_docs_says(what: str) -> None:
    chart, runs = SCENARIOS[what]
    found = chart_health(chart, runs, [], NOW, lambda run: f"mend {run.error and run.error.kind}")
    task = f"`{newest_first(runs)[0].state}`" if runs else ""
    exit_code = "0" if found.status in GOOD else "1"
    assert (f"`{found.status}`", found.reason, task, exit_code, colour_of(found.status)) == told()[what]


@pytest.mark.parametrize("what", SCENARIOS)
def test_a_bad_status_names_its_cause_and_a_good_one_hides_no_day(what: str) -> None:
    chart, runs = SCENARIOS[what]
    found = chart_health(chart, runs, [], NOW, lambda run: f"mend {run.error and run.error.kind}")
    states = dict(found.strip).values()
    if found.status == "failing":
        assert found.last_error is not None
        assert found.last_error.remedy
    if found.status == "healthy":
        assert "failed" not in states
    assert (found.last_error is None) == (found.error_count == 0 and "tick" not in found.reason)
    assert "Canceled" not in str(found.last_error)
