"""Starting the cascade of a chart-day: which day, whether it is at work already, and the request to Dagster."""

import threading
from collections.abc import Callable, Iterable
from datetime import date

from soundcharts_pipeline.admin.answers import Refused
from soundcharts_pipeline.admin.graphql import DagsterUnreachable, LaunchRefused
from soundcharts_pipeline.admin.live import Live
from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.cascade import allowed_keys
from soundcharts_pipeline.health import RunFacts
from soundcharts_pipeline.jobs import FULL_SYNC
from soundcharts_pipeline.partitions import ChartSpan
from soundcharts_pipeline.run_facts import facts_of
from soundcharts_pipeline.run_requests import request_run
from soundcharts_pipeline.settings import ChartSettings, Settings, SettingsError
from soundcharts_pipeline.storage import worklists
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.sync.context import utc_now
from soundcharts_pipeline.sync.rankings import NotPublished

TRIGGER = "api"
# How long a request waits for its turn. One launch takes a second, on a busy machine three.
PATIENCE_SECONDS = 30.0
_LATER = "nothing was started; try again once it is back"


class Trigger:
    """Starts cascades, one after the other, so that a double click is one run: twenty at once take Dagster's webserver
    as long, and its answers come too late. Methods are for threads, wait for Dagster, and raise Refused."""

    def __init__(self, live: Live, newest_published: Callable[[ChartSettings], date]) -> None:
        self._live, self._newest_published = live, newest_published
        self._starting = threading.Lock()

    def start(self, slug: str, day: date | None, trigger: str = TRIGGER) -> RunFacts:
        """The run that was queued for the day, by default the newest published one."""
        chart = self.chart(slug)
        if day is None:
            day = self._newest(chart)
        elif not chart.first_date <= day <= utc_now().date():
            raise Refused(
                400,
                f"{day} is no day of {slug}: it is synced since {chart.first_date}, and no later than today "
                f"({utc_now().date()} UTC)",
                f"send a day between the two, or set an earlier first_date for {slug} in charts.yaml",
            )
        span = ChartSpan(slug, day, day)
        if not self._starting.acquire(timeout=PATIENCE_SECONDS):
            raise Refused(
                429,
                "many cascades are being started at this moment, one after the other",
                f"try again in {PATIENCE_SECONDS:.0f} s",
                headers={"Retry-After": f"{PATIENCE_SECONDS:.0f}"},
            )
        try:
            return self._start(chart, span, trigger)
        except DagsterUnreachable as error:
            raise Refused(503, str(error), _LATER) from None
        except LaunchRefused as error:
            raise Refused(
                503, f"Dagster did not start the run: {error}", "look at the Deployment page of Dagster's UI"
            ) from None
        finally:
            self._starting.release()

    def _start(self, chart: ChartSettings, span: ChartSpan, trigger: str) -> RunFacts:
        live = self._live
        # What was started a moment ago is known without a question: of a hundred clicks one asks Dagster.
        _refuse_overlap(span, live.in_flight(span.slug))
        found = [facts_of(one.row, live.settings) for one in live.dagster.in_flight()]
        runs = [run for run in found if run is not None and run.chart == span.slug]
        for run in runs:
            live.note(run)
        _refuse_overlap(span, runs)
        keys = allowed_keys(live.settings, chart)
        request = request_run(FULL_SYNC, span, keys, trigger)
        repository = live.deployment.repository if live.deployment else None
        if repository is None:
            raise LaunchRefused("it has not loaded this project's code")
        run_id = live.dagster.launch(FULL_SYNC, tags=request.tags, keys=keys, repository=repository)
        queued = RunFacts(
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

    def chart(self, slug: str) -> ChartSettings:
        """The chart of charts.yaml."""
        return chart_of(self._live.settings, slug)

    def _newest(self, chart: ChartSettings) -> date:
        """From the warehouse when the list of rankings was asked today, else by one call."""
        try:
            with self._live.warehouse.read() as conn:
                known = worklists.newest_ranking(conn, chart.slug)
            if known and known.checked_at.date() == utc_now().date() and known.day >= chart.first_date:
                return known.day
            return self._newest_published(chart)
        except NotPublished as error:
            raise Refused(400, str(error), "send a date, or try again later") from None
        except StorageError as error:
            raise Refused(503, str(error), _LATER) from None
        except SoundchartsError as error:
            raise Refused(
                503,
                f"the newest published day cannot be asked: {error}",
                'correct that, or send {"date": "YYYY-MM-DD"}',
            ) from None


def chart_of(settings: Settings, slug: str) -> ChartSettings:
    """The chart of charts.yaml, or the refusal that names the nearest one."""
    try:
        return settings.chart(slug)
    except SettingsError as error:
        problem, _, remedy = str(error).partition("; ")
        raise Refused(404, problem, remedy) from None


def _refuse_overlap(span: ChartSpan, runs: Iterable[RunFacts]) -> None:
    for run in runs:
        if span.overlaps(ChartSpan(run.chart, run.first, run.last)):
            raise Refused(
                409,
                f"the cascade of {run.partition} is already {'queued' if run.state == 'pending' else 'running'}",
                "wait for it; its status_url tells how far it is",
                more=task_answer(run),
            )


def task_answer(run: RunFacts) -> dict[str, object]:
    """What a client needs to follow a run."""
    return {
        "task_id": run.run_id,
        "chart": run.chart,
        "partition": run.partition,
        "status": run.state,
        "status_url": status_url(run.chart),
    }


def status_url(slug: str) -> str:
    """Where the tasks of a chart are told of."""
    return f"/admin/soundcharts/chart/{slug}/status/"
