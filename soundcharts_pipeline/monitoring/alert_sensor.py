"""The sensor that tells people what has newly failed and what has recovered.

Once a minute it looks at runs that ended, at the ticks of schedules and sensors (refused credentials fail a tick before
there is a run), at freshness and at the quota. It reads records and no process, so it hears of runs that were killed as
well. What is wrong is kept in the warehouse; each cause is told once, and once more when it is over.
"""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from soundcharts_pipeline.clock import Clock, utc_now
from soundcharts_pipeline.config.cron import FAIL_AFTER_GAPS
from soundcharts_pipeline.config.environment import Environment, read_environment
from soundcharts_pipeline.config.settings import Settings, SettingsError
from soundcharts_pipeline.monitoring.alert_events import ACCOUNT, News, Recovery, news_of_run, news_of_tick
from soundcharts_pipeline.monitoring.health import STRIP_DAYS
from soundcharts_pipeline.monitoring.notifications import HOW_TO_SET, deliver, message_of, remedy
from soundcharts_pipeline.monitoring.ticks import ENDED_TICKS
from soundcharts_pipeline.orchestration.failures import failure_of
from soundcharts_pipeline.orchestration.freshness import latest_key, period_of
from soundcharts_pipeline.orchestration.partitions import spans_of_tags
from soundcharts_pipeline.orchestration.resources import WarehouseResource
from soundcharts_pipeline.orchestration.stops import mark_canceled_runs
from soundcharts_pipeline.storage import alerts
from soundcharts_pipeline.storage.alerts import Alert, Failure
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries import plan_inputs as forecasts
from soundcharts_pipeline.storage.queries.chart_states import chart_states
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.troubleshooting import QUOTA_LOW, STALE, trouble_of

SENSOR = "notification_sensor"
# Subject of the one cause that cannot be kept in the warehouse.
WAREHOUSE = "warehouse"
# A run may be written down this much later than its time says: hosts' clocks differ, transactions take their time.
OVERLAP = timedelta(minutes=10)
# Older failures are not news.
LONGEST_LOOK_BACK = timedelta(days=1)

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def build_alert_sensor(settings: Settings, clock: Clock = utc_now) -> dg.SensorDefinition:
    """Runs from the start, and does nothing until SOUNDCHARTS_NOTIFY is set. `clock` is that of Dagster's records."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people (SOUNDCHARTS_NOTIFY) of failed runs, ticks and checks, of charts that grow stale and "
        "of a low quota: once per cause, and once more when it is over. Makes no call.",
    )
    def notification_sensor(context: dg.SensorEvaluationContext, database: WarehouseResource) -> dg.SensorResult:
        try:
            environment = read_environment(os.environ)
        except SettingsError as error:
            raise failure_of(error) from error
        if environment.notify is None:
            return dg.SensorResult(skip_reason=HOW_TO_SET, cursor=context.cursor)
        return _Look(context, settings, environment, database.warehouse, clock()).tell()

    return notification_sensor


class _Look:
    """One evaluation. The cursor holds when the first one was, the time of the newest run seen and the runs around that
    time, the last tick seen of each schedule and sensor, and the error of the warehouse that people know of."""

    def __init__(
        self,
        context: dg.SensorEvaluationContext,
        settings: Settings,
        environment: Environment,
        warehouse: Warehouse,
        now: datetime,
    ) -> None:
        self._context, self._settings = context, settings
        self._environment, self._addresses, self._warehouse = environment, environment.notify or "", warehouse
        self._now = now
        first = {"began": self._now.isoformat(), "after": self._now.isoformat(), "seen": [], "ticks": {}}
        self._state: dict[str, Any] = {**first, "warehouse": None, **json.loads(context.cursor or "{}")}
        self._began = datetime.fromisoformat(self._state["began"])

    def tell(self) -> dg.SensorResult:
        before = json.dumps(self._state)
        try:
            self._keep_news()
            said = self._tell_untold()
        except StorageError as error:
            # What was read is read again once it can be kept.
            self._state = json.loads(before)
            said = self._out_of_reach(error)
        return dg.SensorResult(skip_reason=said, cursor=json.dumps(self._state))

    def _keep_news(self) -> None:
        mark_canceled_runs(self._context.instance, self._now)
        with self._warehouse.read() as conn:
            known = {alert.subject for alert in alerts.all_alerts(conn)}
        news = [*self._runs(ACCOUNT in known), *self._ticks(), *self._freshness(), *self._quota()]
        known |= {one.subject for one in news if isinstance(one, Failure)}
        if news := [one for one in news if one.subject in known]:
            with self._warehouse.write() as conn:
                for one in sorted(news, key=lambda one: one.at):
                    if isinstance(one, Failure):
                        alerts.note(conn, one)
                    else:
                        alerts.recover(conn, one.subject, one.at)

    def _tell_untold(self) -> str:
        with self._warehouse.read() as conn:
            untold = alerts.untold(conn)
        told_of = self._state["warehouse"]
        news = [*([self._warehouse_alert(told_of, "", over=self._now)] if told_of else []), *untold]
        if not news:
            return "nothing has newly failed or recovered"
        taken, refused_by = self._deliver(news)
        with self._warehouse.write() as conn:
            alerts.keep_outcome(conn, untold, self._now, taken=taken, refused_by=refused_by)
        if not taken:
            return f"{len(news)} not told, for nobody took the message: {remedy(refused_by or '')}"
        self._state["warehouse"] = None
        return f"told of {len(news)}: {', '.join(alert.what for alert in news)}"

    def _deliver(self, news: Sequence[Alert]) -> tuple[bool, str | None]:
        """Whether anybody took it, and who did not."""
        delivery = deliver(self._addresses, message_of(news, self._environment.ui_url))
        refused_by = ", ".join(delivery.refused_by) or None
        if refused_by:
            self._context.log.warning(f"a message was not taken: {remedy(refused_by)}")
        return bool(delivery.taken_by), refused_by

    def _out_of_reach(self, error: StorageError) -> str:
        kind = type(error).__name__
        if self._state["warehouse"] is None and self._deliver([self._warehouse_alert(kind, str(error))])[0]:
            self._state["warehouse"] = kind
        return f"{error}. {trouble_of(kind).advice()}"

    def _warehouse_alert(self, kind: str, message: str, *, over: datetime | None = None) -> Alert:
        now = self._now
        return Alert(WAREHOUSE, kind, "the warehouse", message, "deployment/daemons", now, now, None, over, None)

    def _runs(self, about_account: bool) -> Iterator[News]:
        instance = self._context.instance
        after = max(datetime.fromisoformat(self._state["after"]), self._now - LONGEST_LOOK_BACK)
        records = instance.get_run_records(
            dg.RunsFilter(statuses=_ENDED, updated_after=after - OVERLAP), order_by="update_timestamp", ascending=True
        )
        for record in records:
            run = record.dagster_run
            ended = datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
            if run.run_id not in self._state["seen"] and ended >= self._began and self._is_ours(run):
                yield from news_of_run(instance, run, ended, about_account=about_account)
        newest = max([after, *(record.update_timestamp for record in records)])
        recent = [record for record in records if record.update_timestamp > newest - OVERLAP]
        self._state |= {"after": newest.isoformat(), "seen": [record.dagster_run.run_id for record in recent]}

    def _is_ours(self, run: dg.DagsterRun) -> bool:
        """Whether it is a run of this code location, or one of a terminal over our charts."""
        if run.remote_job_origin is None:
            return bool(spans_of_tags(run.tags, ()))
        return self._location in (None, run.remote_job_origin.location_name)

    @property
    def _location(self) -> str | None:
        here = self._context.code_location_origin
        return None if here is None else here.location_name

    def _ticks(self) -> Iterator[News]:
        """The last tick of every schedule and sensor, unless it was looked at before."""
        for state in self._context.instance.all_instigator_state():
            location = state.origin.repository_origin.code_location_origin.location_name
            if self._location not in (None, location) or state.instigator_name == SENSOR:
                continue
            found = self._context.instance.get_ticks(
                state.instigator_origin_id, state.selector_id, limit=1, statuses=ENDED_TICKS
            )
            for tick in found:
                if tick.tick_id != self._state["ticks"].get(state.instigator_name):
                    self._state["ticks"][state.instigator_name] = tick.tick_id
                    if tick.timestamp >= self._began.timestamp():
                        yield from news_of_tick(state, tick)

    def _freshness(self) -> Iterator[News]:
        """By the rule of the charts' status, which knows how often each is published."""
        now = self._environment.clock()
        with self._warehouse.read() as conn:
            states = chart_states(conn, now.date() - timedelta(days=STRIP_DAYS))
        for chart in self._settings.charts.values():
            state = states.get(chart.slug)
            if not chart.active or state is None or state.saved_at is None:
                continue
            subject = latest_key(chart.slug).to_user_string()
            if now - state.saved_at > FAIL_AFTER_GAPS * period_of(chart, state.frequency):
                text = f"no newer ranking was saved since {state.saved_at:%Y-%m-%d %H:%M} UTC"
                link = f"assets/{subject}"
                yield Failure(subject=subject, kind=STALE, what=chart.slug, message=text, link=link, at=self._now)
            else:
                yield Recovery(subject, self._now)

    def _quota(self) -> Iterator[News]:
        with self._warehouse.read() as conn:
            left = forecasts.quota_seen(conn, self._environment.clock().date())
        least = self._environment.notify_quota
        if left is not None and left >= least:
            yield Recovery(QUOTA_LOW, self._now)
        elif left is not None:
            text = f"{left:,} billed calls are left in this term, fewer than {least:,} (SOUNDCHARTS_NOTIFY_QUOTA)"
            yield Failure(subject=QUOTA_LOW, kind=QUOTA_LOW, what="the quota", message=text, link="runs", at=self._now)
