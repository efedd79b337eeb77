"""Starting the cascade of a chart-day: which day, whether it is at work already, and the request to Dagster."""

import threading
from collections.abc import Callable, Iterable
from datetime import date
from urllib.parse import quote

from soundcharts_pipeline.admin.access.root_path import home
from soundcharts_pipeline.admin.internal_api.answers import Queued
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.admin.state.code_reload import is_current
from soundcharts_pipeline.admin.state.dagster_client import DagsterUnreachable, Deployment, LaunchRefused
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.clock import last_ranking_day, utc_now
from soundcharts_pipeline.config.cascade import allowed_keys
from soundcharts_pipeline.config.settings import ChartSettings, Settings, SettingsError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.facts import facts_of
from soundcharts_pipeline.monitoring.health import RunState
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.run_requests import request_run
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.sync.rankings import NotPublished

TRIGGER = "api"
# How long a request waits for its turn. One launch takes a second, on a busy machine three.
PATIENCE_SECONDS = 30.0
_LATER = "nothing was started; try again once it is back"


class Trigger:
    """Starts cascades, one after the other, so that a double click is one run: twenty at once take Dagster's webserver
    as long, and its answers come too late. Methods are for threads, wait for Dagster, and raise HttpRefusal."""

    def __init__(self, live: Live, newest_published: Callable[[ChartSettings], date]) -> None:
        self._live, self._newest_published = live, newest_published
        self._starting = threading.Lock()

    def start(self, slug: str, day: date | None, trigger: str = TRIGGER) -> RunState:
        """The run that was queued for the day, by default the newest published one. Raises HttpRefusal: 400 for no day
        of the chart, 404 for no chart, 409 when it is at work, 429 when others keep it waiting, 503 without Dagster and
        while the charts file has mistakes."""
        self._refuse_mistakes()
        chart = self.chart(slug)
        latest = last_ranking_day(self._live.clock())
        if day is None:
            day = self._newest(chart)
        elif not chart.first_date <= day <= latest:
            raise HttpRefusal(
                400,
                f"{day} is no day of {slug}: it is synced since {chart.first_date}, and no ranking is "
                f"dated after {latest} yet",
                f"send a day between the two, or set an earlier first_date for {slug} in charts.yaml",
            )
        span = ChartDays(slug, day, day)
        if not self._starting.acquire(timeout=PATIENCE_SECONDS):
            raise HttpRefusal(
                429,
                "many cascades are being started at this moment, one after the other",
                f"try again in {PATIENCE_SECONDS:.0f} s",
                headers={"Retry-After": f"{PATIENCE_SECONDS:.0f}"},
            )
        try:
            return self._start(chart, span, trigger)
        except DagsterUnreachable as error:
            raise HttpRefusal(503, str(error), _LATER) from None
        except LaunchRefused as error:
            raise HttpRefusal(
                503, f"Dagster did not start the run: {error}", "look at the Deployment page of Dagster's UI"
            ) from None
        finally:
            self._starting.release()

    def _start(self, chart: ChartSettings, span: ChartDays, trigger: str) -> RunState:
        live = self._live
        # What was started a moment ago is known without a question: of a hundred clicks one asks Dagster.
        _refuse_overlap(span, live.in_flight(span.slug))
        found = [run for one in live.dagster.in_flight() for run in facts_of(one, live.settings)]
        runs = [run for run in found if run.chart == span.slug]
        for run in runs:
            live.note(run)
        _refuse_overlap(span, runs)
        keys = allowed_keys(live.settings, chart)
        request = request_run(FULL_SYNC, span, keys, trigger)
        run_id = live.dagster.launch(FULL_SYNC, tags=request.tags, keys=keys, repository=self._repository())
        queued = RunState(
            run_id=run_id,
            chart=chart.slug,
            first=span.first,
            last=span.last,
            state="pending",
            trigger=trigger,
            steps=tuple(keys),
            created_at=utc_now(),
        )
        live.note(queued)
        return queued

    def _repository(self) -> tuple[str, str]:
        """Our code in Dagster, once it goes by charts.yaml as it is now: it knows no day of a chart that was added."""
        live = self._live
        deployment: Deployment | None = live.deployment
        if deployment is None or deployment.repository is None:  # as of the last look; it may be back
            deployment = live.dagster.deployment()
        if not is_current(deployment, live.settings.version):
            deployment = live.code.wait(live.version_to_load)
        if deployment is None or deployment.repository is None:
            self._refuse_mistakes()
            raise LaunchRefused(
                "it has not loaded this project's code, or not the charts.yaml of now; it is told to by itself"
            )
        return deployment.repository

    def _refuse_mistakes(self) -> None:
        """Every run reads the charts file when it begins, and would fail."""
        self._live.read_settings()
        if mistake := self._live.mistake:
            raise HttpRefusal(503, mistake, "correct the charts file; nothing was started, so start it again then")

    def chart(self, slug: str) -> ChartSettings:
        """The chart of charts.yaml. Raises HttpRefusal (404)."""
        if slug not in self._live.settings.charts:
            self._live.read_settings()  # it may have been added a moment ago
        return chart_of(self._live.settings, slug)

    def _newest(self, chart: ChartSettings) -> date:
        """From the warehouse when the list of rankings was asked today, else by one call."""
        try:
            with self._live.warehouse.read() as conn:
                known = worklists.newest_ranking(conn, chart.slug)
            if known and known.checked_at.date() == self._live.clock().date() and known.day >= chart.first_date:
                return known.day
            return self._newest_published(chart)
        except NotPublished as error:
            raise HttpRefusal(400, str(error), "send a date, or try again later") from None
        except SettingsError as error:
            problem, _, remedy = str(error).partition("; ")
            raise HttpRefusal(400, problem, remedy) from None
        except StorageError as error:
            raise HttpRefusal(503, str(error), _LATER) from None
        except SoundchartsError as error:
            raise HttpRefusal(
                503,
                f"the newest published day cannot be asked: {error}",
                'correct that, or send {"date": "YYYY-MM-DD"}',
            ) from None


def chart_of(settings: Settings, slug: str) -> ChartSettings:
    """The chart of charts.yaml. Raises HttpRefusal (404), which names the nearest one."""
    try:
        return settings.chart(slug)
    except SettingsError as error:
        problem, _, remedy = str(error).partition("; ")
        raise HttpRefusal(404, problem, remedy) from None


def _refuse_overlap(span: ChartDays, runs: Iterable[RunState]) -> None:
    for run in runs:
        if span.overlaps(ChartDays(run.chart, run.first, run.last)):
            raise HttpRefusal(
                409,
                f"the cascade of {run.partition} is already {'queued' if run.state == 'pending' else 'running'}",
                "wait for it; the page of the chart tells how far it is, and its status_url does so to programs",
                more=task_answer(run),
            )


def task_answer(run: RunState) -> dict[str, object]:
    """What a client needs to follow a run."""
    return Queued(
        task_id=run.run_id,
        chart=run.chart,
        partition=run.partition,
        status=run.state,
        status_url=status_url(run.chart),
    ).model_dump()


def status_url(slug: str) -> str:
    """Where the tasks of a chart are told of."""
    return f"{home()}/chart/{quote(slug)}/status/"
