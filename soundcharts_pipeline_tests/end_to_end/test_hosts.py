"""Many machines for real: PostgreSQL, Redis, the host of daemon and web server, Soundcharts and four workers of Celery
on hosts of their own, whose links are cut and which die in the middle of runs."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial

import dagster as dg
import pytest
from sqlalchemy import text

from soundcharts_pipeline.orchestration.dead_runs import PID_TAG
from soundcharts_pipeline.orchestration.run_requests import CHART_TAG
from soundcharts_pipeline.storage.engine import OF_SERVER
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.admin.site import wait_for
from soundcharts_pipeline_tests.support.dagster_site import check_truth
from soundcharts_pipeline_tests.support.many_hosts import (
    CONTROL,
    DATABASE,
    SHORT_LEASES,
    WORKERS,
    Installation,
    installed,
)
from soundcharts_pipeline_tests.support.today import TODAY

TWO, OTHERS = ("viral-50-global", "viral-50-in"), ("viral-50-us", "soundcloud-new-hot")
# A chart-day lasts for some seconds: 90 calls, a few at a time.
LATENCY_SECONDS, IN_FLIGHT = 0.5, 8
CHARTS = f"""
defaults:
  schedule: "0 0 1 1 *"
  first_date: {TODAY - timedelta(days=30)}
  history_days: 7
  heal_days: 5
  report: false
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
charts: {[{"slug": slug} for slug in (*TWO, *OTHERS)]}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("hosts")
    simulator = {"today": TODAY, "latency": LATENCY_SECONDS}
    variables = {"SOUNDCHARTS_MAX_IN_FLIGHT": str(IN_FLIGHT)}
    with installed(folder, CHARTS, simulator, definitions=SHORT_LEASES, variables=variables) as whole:
        yield whole


def test_runs_of_a_host_that_dies_and_of_one_that_is_cut_off_are_failed_and_done_again(whole: Installation) -> None:
    runs = [whole.trigger(slug, whole.newest(slug)) for slug in TWO]
    dead = _in_the_middle(whole, runs)
    whole.kill(killed := whole.host_of(dead))
    silent = _in_the_middle(whole, [run_id for run_id in runs if run_id != dead])
    whole.hosts.cut(cut_off := whole.host_of(silent))
    pid = whole.run(silent).tags[PID_TAG]
    for run_id in (dead, silent):
        wait_for("failure", partial(whole.has_ended_as, run_id, dg.DagsterRunStatus.FAILURE))
        assert "its days are requested again" in whole.reason(run_id)

    whole.hosts.heal(cut_off)
    whole.start(killed)
    for slug in TWO:
        wait_for("run by the healing sensor", partial(_has_healed, whole, slug))
    wait_for("end of the old process", lambda: int(pid) not in whole.hosts.pids(cut_off))
    check_truth(whole.site, {slug: [whole.newest(slug)] for slug in TWO})
    assert whole.site.simulator.counters.repeats <= 2 * IN_FLIGHT


def test_runs_go_on_over_a_link_that_is_healed_and_without_the_host_of_the_daemon(whole: Installation) -> None:
    wasted = whole.site.simulator.counters.repeats
    runs = [whole.trigger(slug, whole.newest(slug)) for slug in OTHERS]
    first = _in_the_middle(whole, runs)
    second = _in_the_middle(whole, [run_id for run_id in runs if run_id != first])
    worker = whole.host_of(second)
    whole.kill(CONTROL)
    for name in (worker, DATABASE):
        whole.hosts.cut(name)
        wait_for("silence", lambda: whole.site.simulator.counters.in_flight == 0)
        whole.hosts.heal(name)
    whole.start(CONTROL)
    for run_id in (first, second):
        wait_for("end", partial(whole.has_ended_as, run_id, dg.DagsterRunStatus.SUCCESS))
    check_truth(whole.site, {slug: [whole.newest(slug)] for slug in (*TWO, *OTHERS)})
    assert whole.site.simulator.counters.repeats - wasted <= IN_FLIGHT
    wait_for("answer of the internal API", whole.is_well)


def test_the_server_looks_whether_its_clients_are_there(whole: Installation) -> None:
    with (
        whole.hosts.inside(WORKERS[0]),
        closing(Warehouse(whole.environ["SOUNDCHARTS_DATABASE_URL"])) as warehouse,
        warehouse.read() as conn,
    ):
        told = {name: conn.scalar(text(f"SHOW {name}")) for name in OF_SERVER}
    # Over a socket of one machine there is nothing to look after.
    wanted = OF_SERVER if whole.hosts.can_be_cut else dict.fromkeys(OF_SERVER, 0)
    assert told == {name: str(value) for name, value in wanted.items()}


def _in_the_middle(whole: Installation, run_ids: Sequence[str]) -> str:
    """The first of them that has some of its tracks and asks for more."""
    found: list[str] = []

    def is_one() -> bool:
        found.extend(run_id for run_id in run_ids if whole.is_amid(run_id, "track_audience/spotify"))
        return bool(found)

    wait_for("progress", is_one)
    return found[0]


def _has_healed(whole: Installation, slug: str) -> bool:
    runs = [run for run in whole.site.runs("healing_sensor") if run.tags[CHART_TAG] == slug]
    return any(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)
