"""One asset's step: its partitions through its sync function, then metadata and checks.

A range of days is one step. One that goes on for long records the days that are complete as it goes; what it leaves
behind when it fails or is interrupted is in `recording.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, cast

import dagster as dg
from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.api.remarks import RemarkCount
from soundcharts_pipeline.config.cascade import exclusion
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.by_chart import is_handed_over, no_results
from soundcharts_pipeline.orchestration.assets.day_record import DayRecord
from soundcharts_pipeline.orchestration.assets.dry_run import dry_run
from soundcharts_pipeline.orchestration.assets.pictures import drawn
from soundcharts_pipeline.orchestration.assets.recording import ARCHIVED, NOTHING, Metadata, Recording
from soundcharts_pipeline.orchestration.assets.refresh import begin_of
from soundcharts_pipeline.orchestration.assets.remarks import as_metadata, in_short
from soundcharts_pipeline.orchestration.assets.stage import Stage
from soundcharts_pipeline.orchestration.assets.table_metadata import as_markdown, column_lineage, column_schema
from soundcharts_pipeline.orchestration.failed_days import made_partitions
from soundcharts_pipeline.orchestration.failures import LEFT_OUT, NOT_FOUND_MEANS
from soundcharts_pipeline.orchestration.freshness import policy_of
from soundcharts_pipeline.orchestration.partitions import keys_of, partition_key, spans_of, spans_over
from soundcharts_pipeline.orchestration.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.orchestration.run_requests import AUTOMATIC, TRIGGER_TAG
from soundcharts_pipeline.orchestration.stops import end_if_canceled
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.storage.queries.summaries import archived_days
from soundcharts_pipeline.storage.queries.worklists import published_days
from soundcharts_pipeline.storage.saves import note_complete
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.preconditions import inside_source, lacking
from soundcharts_pipeline.sync.report import SyncReport
from soundcharts_pipeline.troubleshooting import trouble_of

# A preview costs a query. Of a long range the newest days are those that somebody looks at.
PREVIEWED_DAYS = 31


def build_asset(stage: Stage, settings: Settings, partitions_def: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The software-defined asset of a stage."""
    key = dg.AssetKey(stage.key.split("/"))

    @dg.asset(
        key=key,
        group_name=stage.group,
        description=stage.description,
        deps=[dg.AssetKey(dep.split("/")) for dep in stage.deps],
        kinds=set(stage.kinds),
        owners=["team:music-data"],
        partitions_def=partitions_def,
        backfill_policy=backfill_policy(settings.max_partitions_per_run),
        freshness_policy=policy_of(stage.key, settings),
        code_version=stage.code_version,
        check_specs=[check.spec(key) for check in stage.checks],
        # A dry run yields no output, and Dagster skips what is below.
        output_required=False,
        dagster_type=cast(dg.DagsterType, dg.Nothing),
        metadata={
            "dagster/table_name": stage.table.name,
            "dagster/column_schema": column_schema(stage.table),
            "dagster/column_lineage": column_lineage(stage.lineage),
        },
    )
    def materialize(
        context: dg.AssetExecutionContext, soundcharts: SoundchartsResource, database: WarehouseResource
    ) -> Iterator[Any]:
        end_if_canceled(context)
        if is_handed_over(context, settings, database.warehouse):
            yield from no_results(context)
            return
        ctx = SyncContext(
            client=soundcharts.client,
            warehouse=database.warehouse,
            max_in_flight=soundcharts.max_in_flight,
            run_id=context.run.run_id,
            step=stage.key,
            known_since=begin_of(context, soundcharts.clock) if soundcharts.refresh else None,
            clock=soundcharts.clock,
            automatic=context.run.tags.get(TRIGGER_TAG) in AUTOMATIC,
            data_dir=database.data_dir,
        )
        if soundcharts.dry_run:
            yield from dry_run(context, settings, ctx, soundcharts.environment)
        else:
            yield from _Step(context, stage, settings, ctx, soundcharts.source).run()

    return materialize


def backfill_policy(most: int | None) -> dg.BackfillPolicy:
    """A range is one run, or runs of so many days."""
    return dg.BackfillPolicy.multi_run(most) if most else dg.BackfillPolicy.single_run()


class _Step:
    def __init__(
        self, context: dg.AssetExecutionContext, stage: Stage, settings: Settings, ctx: SyncContext, source: str
    ) -> None:
        self._context, self._stage, self._settings = context, stage, settings
        self._ctx, self._source = ctx, source
        self._started = ctx.clock()
        self._told: dict[str, Metadata] = defaultdict(dict)
        self._recording = Recording(context)

    def run(self) -> Iterator[Any]:
        spans = spans_of(self._context.partition_keys)
        for span in spans:
            record = DayRecord(span, partial(self._record, span), self._tell, self._log)
            with self._recording.span(span, record):
                self._recording.done |= self._sync(span, record)
        left_out = not any(self._is_included(span) for span in spans)
        checks = self._ctx.warehouse.again(partial(self._checks, spans_of(self._recording.done)))
        yield from self._recording.results(checks, left_out=left_out)

    def _sync(self, span: ChartDays, record: DayRecord) -> dict[str, Metadata]:
        """Work on those days of the span that have what the step works on; returns what to record of them."""
        chart, ctx = self._settings.chart(span.slug), replace(self._ctx, watcher=record)
        reason = exclusion(self._stage.key, chart)
        if reason:
            self._context.log.info(f"{span}: left out, {reason}; no call was made")
            return {key: {LEFT_OUT: reason, "calls": 0} for key in keys_of(span)}
        calls_before = ctx.client.usage.calls
        ctx.client.remarks.drain()  # of calls that were no step's
        remarks: list[RemarkCount] = []
        try:
            with inside_source(ctx, self._source):
                days = self._days_to_work_on(chart, span, record) if self._stage.deps else span.days
                if not days:
                    return {}
                # What was saved before the database went away is not asked for again.
                report = ctx.warehouse.again(partial(self._stage.sync, ctx, chart, days))
                self._note_complete(chart, days)
            # Every call of the step, those too that a sync function makes before it works through its worklist.
            report.calls = ctx.client.usage.calls - calls_before
        finally:
            for told in dict.fromkeys(text for key in keys_of(span) for text in self._told.get(key, {}).values()):
                self._context.log.info(f"{span}: {told}")
            # Also of a step that fails: what its answers lacked may be why.
            remarks = ctx.client.remarks.drain()
            self._recording.remarks = in_short(remarks)
            if remarks:
                self._context.log.warning(f"{span}: remarks on answers: {self._recording.remarks}")
        if not report.is_empty:  # each line costs ten milliseconds, and the record says "0 calls" too
            self._context.log.info(f"{span}: {report}")
        for reason in report.left_out.values():
            self._context.log.warning(f"{span}: left out, {reason}")
        self._announce(chart)
        found = ctx.warehouse.again(partial(self._metadata, span, chart, days, report))
        found[partition_key(span.slug, days[-1])] |= as_metadata(remarks, len(days))
        return found

    def _days_to_work_on(self, chart: ChartSettings, span: ChartDays, record: DayRecord) -> list[date]:
        look = partial(lacking, self._ctx, chart, span, metadata=self._stage.group == "artists")
        reasons = self._ctx.warehouse.again(look)
        if not reasons:
            return span.days
        record.leave_out([day for reason in reasons for day in reason.days])
        published = self._ctx.warehouse.again(partial(self._published, span.slug))
        return self._recording.lack(reasons, span, published)

    def _published(self, slug: str) -> Collection[date]:
        with self._ctx.warehouse.read() as conn:
            return published_days(conn, slug)

    def _note_complete(self, chart: ChartSettings, days: Sequence[date]) -> None:
        if self._stage.completes and self._is_whole(chart, [partition_key(chart.slug, day) for day in days]):
            for span in spans_over(chart.slug, days):
                self._ctx.warehouse.save(partial(note_complete, days=span, now=self._ctx.clock()))

    def _is_whole(self, chart: ChartSettings, keys: Sequence[str]) -> bool:
        """The run, or an earlier one, has made every asset that this one is made from, as far as the chart's settings
        have them."""
        wanted = {dg.AssetKey(key.split("/")) for key in self._stage.deps if not exclusion(key, chart)}
        others = wanted - self._context.job_def.asset_layer.selected_asset_keys
        return all(set(keys) <= made_partitions(self._context.instance, asset, keys) for asset in others)

    def _metadata(
        self, span: ChartDays, chart: ChartSettings, days: Sequence[date], report: SyncReport | None
    ) -> dict[str, Metadata]:
        spent = {} if report is None else _spent(report, len(days))
        # Of a series it says nothing: many artists have no account on a platform.
        if report is not None and report.not_found and self._stage.key.endswith("_metadata"):
            trouble, about = trouble_of(NotFound.__name__), Subject(span.slug, span.first, span.last, self._stage.key)
            spent[NOT_FOUND_MEANS] = f"{trouble.title}: {trouble.explanation} {trouble.advice(about)}"
        with self._ctx.warehouse.read() as conn:
            archived = archived_days(conn, span)
            rows = self._stage.rows(conn, span, chart)
            previews = {day: as_markdown(self._stage.preview(conn, span.slug, day)) for day in days[-PREVIEWED_DAYS:]}
            pictures = {} if report is None else self._pictures(conn, span.slug, [day for day in days if rows.get(day)])
            return {
                partition_key(span.slug, day): {
                    "dagster/partition_row_count": rows.get(day, 0),
                    **spent,
                    **self._told.get(partition_key(span.slug, day), {}),
                    **({} if rows.get(day) else {"empty": ARCHIVED if day in archived else NOTHING}),
                    **({"preview": previews[day]} if day in previews else {}),
                    **pictures.get(day, {}),
                }
                for day in days
            }

    def _pictures(self, conn: Connection, slug: str, days: Sequence[date]) -> dict[date, Metadata]:
        """Of the newest day alone: a picture is as large as all the other facts of a day."""
        made = self._stage.pictures(conn, slug, days[-1]) if days else {}
        return {days[-1]: drawn(made, self._recorded(partition_key(slug, days[-1])))} if made else {}

    def _recorded(self, partition: str) -> Mapping[str, Any]:
        """What was last recorded of a partition."""
        of = dg.AssetRecordsFilter(asset_key=self._context.asset_key, asset_partitions=[partition])
        found = self._context.instance.fetch_materializations(of, limit=1).records
        recorded = found[0].asset_materialization if found else None
        return recorded.metadata if recorded else {}

    def _record(self, span: ChartDays, days: Sequence[date]) -> None:
        """Record days that are complete although their step is not. A single day is complete with its step alone."""
        chart = self._settings.chart(span.slug)
        if len(span.days) > 1 and days:
            self._announce(chart)
            self._recording.materialize(self._metadata(span, chart, days, None))

    def _log(self, line: str) -> None:
        """Every few seconds, the progress of a step that may go on for hours."""
        self._context.log.info(line)
        with suppress(Exception):  # Dagster's database may be away; the next line asks again
            end_if_canceled(self._context)

    def _tell(self, partition: str, fact: str, text: str) -> None:
        self._told[partition][fact] = text

    def _announce(self, chart: ChartSettings) -> None:
        news = self._ctx.warehouse.again(partial(self._stage.announce, self._ctx, chart.slug, self._started))
        if news and chart.active:
            self._context.log_event(news)

    def _checks(self, spans: Sequence[ChartDays]) -> list[dg.AssetCheckResult]:
        days = [span for span in spans if self._is_included(span)]
        with self._ctx.warehouse.read() as conn:
            return [check.result(conn, days) for check in self._stage.checks]

    def _is_included(self, span: ChartDays) -> bool:
        return exclusion(self._stage.key, self._settings.chart(span.slug)) is None


def _spent(report: SyncReport, days: int) -> Metadata:
    """What the step cost; of a range the whole of it, which is no day's own."""
    whole = "" if days == 1 else f"_of_{days}_days"
    spent: Metadata = {f"calls{whole}": report.calls, f"rows_saved{whole}": report.rows}
    if report.quota_remaining is not None:
        spent["quota_left"] = report.quota_remaining
    if report.not_found:
        spent[f"not_found{whole}"] = report.not_found
    if report.not_in_plan:
        spent[f"not_in_plan{whole}"] = report.not_in_plan
    if report.left_out:
        spent[LEFT_OUT] = "; ".join(report.left_out.values())
    return spent
