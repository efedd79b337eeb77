"""One asset launched alone over a range of which some days lack what it works on: those fail, and no others."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import select

from soundcharts_pipeline.api.errors import ServerError
from soundcharts_pipeline.config.cascade import (
    ARTIST_METADATA,
    AUDIENCE_TRENDS,
    CHART_REPORT,
    RANKINGS,
    TRACK_METADATA,
    artist_audience_key,
    track_audience_key,
)
from soundcharts_pipeline.models import ONE_DAY, ChartDays, Window
from soundcharts_pipeline.orchestration.assets.chart_report import FOLDER
from soundcharts_pipeline.orchestration.assets.lacking import Lack, failure_of_lacking
from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE
from soundcharts_pipeline.orchestration.failures import KIND, REMEDY
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG, keys_of, partition_key
from soundcharts_pipeline.simulator import Fault, Simulator
from soundcharts_pipeline.storage.housekeeping.archive import archive
from soundcharts_pipeline.storage.saves import save_unpublished
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.sync.preconditions import UpstreamMissing
from soundcharts_pipeline_tests.orchestration.assets.recorded import (
    checks_of,
    facts_of,
    failure_facts,
    failures_of,
    shown_as_failed,
)
from soundcharts_pipeline_tests.orchestration.assets.test_operations import last_month
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.project import Project, chart, open_project

SPOTIFY, AIRPLAY, INSTAGRAM = (
    track_audience_key("spotify"),
    track_audience_key("airplay"),
    artist_audience_key("instagram"),
)
OTHER = "viral-50-in"


@pytest.fixture
def here(environ: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A database of either kind, where Dagster plans a range as one event."""
    monkeypatch.setenv(PLANNED_AS_ONE, "1")
    return {**environ, "SOUNDCHARTS_DATABASE_URL": database_url}


@pytest.fixture
def project(simulator: Simulator, here: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with open_project(simulator, here, monkeypatch, hasty=True) as project:
        yield project


class Range:
    """Seven days: two that were never published, two of which no ranking is stored, two that are, one that is not."""

    def __init__(self, project: Project) -> None:
        self.span = project.span(7, ago=2)  # radio plays of a day are counted when it is over
        days = self.span.days
        self.never, self.stored, self.missing = days[:2], ChartDays(SLUG, days[4], days[5]), [*days[2:4], days[6]]
        self.named = f"{days[2]} to {days[3]}, {days[6]}"
        self.remedy = f"sync {SLUG} --from {days[2]} --to {days[3]}`. Likewise with `--date {days[6]}`."
        project.publish(ChartDays(SLUG, days[2], days[6]))
        with project.warehouse.write() as conn:
            save_unpublished(conn, SLUG, self.never, project.now)


def _asked(project: Project) -> set[Window]:
    """Windows of series that were asked for."""
    t = b.audience_asks
    with project.warehouse.read() as conn:
        return {Window(*row) for row in conn.execute(select(t.c.start_date, t.c.end_date))}


@pytest.mark.parametrize(
    ("asset", "above"),
    [
        (TRACK_METADATA, [RANKINGS]),
        (SPOTIFY, [RANKINGS, TRACK_METADATA]),
        (AIRPLAY, [RANKINGS, TRACK_METADATA]),
        (ARTIST_METADATA, [RANKINGS, TRACK_METADATA]),
        (INSTAGRAM, [RANKINGS, TRACK_METADATA, ARTIST_METADATA]),
        (AUDIENCE_TRENDS, [RANKINGS, TRACK_METADATA, SPOTIFY]),
        (CHART_REPORT, [RANKINGS, TRACK_METADATA]),
    ],
)
def test_days_without_their_ranking_fail_and_no_others(
    project: Project, environ: dict[str, str], asset: str, above: list[str]
) -> None:
    days = Range(project)
    assert project.run(days.stored, above).success

    result = project.run(days.span, [asset])

    assert f"the ranking of {days.named} is not stored" in failures_of(result)[asset]
    assert "The other days of this run are done" in failures_of(result)[asset]
    assert days.remedy in str(failure_facts(result, asset)[REMEDY])
    facts = {day: of_day for (_, day), of_day in facts_of(project, result).items()}
    assert facts.keys() == {str(day) for day in [*days.never, *days.stored.days]}
    assert ["empty" in of_day for of_day in facts.values()] == [True, True, False, False]
    assert all(int(str(facts[str(day)]["dagster/partition_row_count"])) for day in days.stored.days)
    assert shown_as_failed(project, asset) == [partition_key(SLUG, day) for day in days.missing]
    checks = {name: passed for name, passed in checks_of(result).items() if name.startswith(f"{asset}: ")}
    assert checks
    assert all(checks.values()), checks
    # What was ranked before is followed, and would be asked for on the last day.
    asked = _asked(project)
    assert bool(asked) == (asset in {SPOTIFY, AIRPLAY, INSTAGRAM} or SPOTIFY in above)
    assert all(window.end <= days.stored.last for window in asked)
    assert asset != AIRPLAY or {window.start for window in asked} == set(days.stored.days)
    written = Path(environ["SOUNDCHARTS_DATA_DIR"]).glob(f"{FOLDER}/{SLUG}/*")
    expected = days.stored.days if asset == CHART_REPORT else []
    assert {path.name for path in written} == {f"{SLUG}_{day}.xlsx" for day in expected}

    project.simulator.reset()
    day = days.missing[0]
    alone = project.run(ChartDays(SLUG, day, day), [asset])
    assert f"{SLUG}: the ranking of {day} is not stored, so there is nothing to " in failures_of(alone)[asset]
    assert "other days" not in failures_of(alone)[asset]
    assert str(failure_facts(alone, asset)[REMEDY]).endswith(f"sync {SLUG} --date {day}`.")
    assert project.simulator.counters.total == 0


@pytest.mark.parametrize("asset", [ARTIST_METADATA, INSTAGRAM])
def test_days_whose_credits_are_not_known_fail_and_no_others(project: Project, asset: str) -> None:
    span = project.span(4, ago=2)
    known, unknown = span.days[:3], span.days[3]
    assert project.run(span, [RANKINGS]).success
    assert project.run(ChartDays(SLUG, known[0], known[-1]), [TRACK_METADATA, ARTIST_METADATA]).success

    result = project.run(span, [asset])

    said = failures_of(result)[asset]
    assert f"ranked on {unknown} it is not known who is credited" in said
    assert str(failure_facts(result, asset)[REMEDY]).endswith(f"sync {SLUG} --date {unknown}`.")
    assert set(known) <= set(project.days(asset))
    assert unknown not in project.days(asset)
    assert shown_as_failed(project, asset) == [partition_key(SLUG, unknown)]


def test_days_that_were_archived_too_soon_fail_and_no_others(project: Project, tmp_path: Path) -> None:
    archived = last_month(project.now.date())
    after = ChartDays(SLUG, archived.last + ONE_DAY, archived.last + 2 * ONE_DAY)
    assert project.run(archived, [RANKINGS]).success
    archive(project.warehouse, tmp_path, before=project.now.date(), now=project.now, on_progress=lambda _: None)
    assert project.run(after, [RANKINGS]).success

    result = project.run(ChartDays(SLUG, archived.first, after.last), [TRACK_METADATA])

    said = failures_of(result)[TRACK_METADATA]
    assert f"{archived.first} to {archived.last} went to the archive before all of it was fetched" in said
    assert f"sync {SLUG} --from {archived.first} --to {archived.last}`" in str(
        failure_facts(result, TRACK_METADATA)[REMEDY]
    )
    assert project.days(TRACK_METADATA) == after.days
    assert shown_as_failed(project, TRACK_METADATA) == keys_of(archived)


def test_a_step_that_breaks_off_records_no_day_without_its_ranking(project: Project) -> None:
    days = Range(project)
    assert project.run(days.stored, [RANKINGS, TRACK_METADATA]).success
    project.simulator.script("track_audience", [Fault.SERVER_ERROR] * 400)
    result = project.run(days.span, [SPOTIFY])
    assert "still to do" in failures_of(result)[SPOTIFY]
    assert project.days(SPOTIFY) == days.never
    assert failure_facts(result, SPOTIFY)[KIND] == ServerError.__name__


def test_the_days_of_another_chart_are_worked_on(
    simulator: Simulator, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_project(simulator, here, monkeypatch, chart(), chart(OTHER)) as project:
        days = Range(project)
        of_other = ChartDays(OTHER, days.span.first, days.span.last)
        assert project.run(of_other, [RANKINGS]).success
        tags = {RANGE_START_TAG: keys_of(days.span)[0], RANGE_END_TAG: keys_of(of_other)[-1]}
        selection = [dg.AssetKey(TRACK_METADATA)]
        result = project.perform(dg.RunRequest(job_name=FULL_SYNC, asset_selection=selection, tags=tags))
        assert f"{SLUG}: the ranking of" in failures_of(result)[TRACK_METADATA]
        assert project.days(TRACK_METADATA, OTHER) == of_other.days


def _remedy(days: list[date], published: list[date]) -> str:
    lack = Lack(UpstreamMissing("some days", days), SLUG, published)
    failure = failure_of_lacking([lack], TRACK_METADATA, below=(), remarks="", others_done=True)
    return str(failure.metadata[REMEDY].value)


def test_the_remedy_takes_days_of_a_weekly_chart_together_and_scattered_days_as_one_range() -> None:
    first = date(2026, 1, 5)
    weeks = [first + timedelta(days=7 * n) for n in range(30)]
    assert f"--from {weeks[0]} --to {weeks[3]}`." in _remedy(weeks[:4], weeks)
    others = [week + ONE_DAY for week in weeks]
    assert _remedy(weeks[:3], others).endswith(
        f"--date {weeks[0]}`. Likewise with `--date {weeks[1]}`, `--date {weeks[2]}`."
    )
    assert _remedy(weeks, others).endswith(f"--from {weeks[0]} --to {weeks[-1]}`.")
