"""One asset's step: its partitions through its sync function, then metadata and checks.

A range of days is one step, and Dagster records its partitions when the step has succeeded. So a step that goes on
for long records the days that are complete as it goes, and one that fails or is interrupted those it leaves behind.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, cast

import dagster as dg
from sqlalchemy import Connection, Table

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.assets.dry_run import dry_run
from soundcharts_pipeline.assets.metadata import as_markdown, column_lineage, column_schema
from soundcharts_pipeline.cascade import exclusion
from soundcharts_pipeline.checks import Check
from soundcharts_pipeline.failures import NOT_FOUND_MEANS, USER_ERRORS, failure_of
from soundcharts_pipeline.partitions import ChartSpan, partition_key, spans_of
from soundcharts_pipeline.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.settings import ChartSettings, Settings
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.summaries import Preview, archived_days
from soundcharts_pipeline.storage.worklists import ChartDays
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.report import SyncReport
from soundcharts_pipeline.sync.source import check_source, note_source
from soundcharts_pipeline.sync.upstream import check_upstream
from soundcharts_pipeline.troubleshooting import trouble_of

Metadata = dict[str, Any]

# A day recorded while its step goes on is recorded once more at the step's end, 16 to 50 ms an event. Steps of less
# than this are not worth that.
RECORD_SECONDS = 30.0
# A preview costs a query. Of a long range the newest days are those that somebody looks at.
PREVIEWED_DAYS = 31
NOTHING = "Soundcharts has nothing for this day"
ARCHIVED = "this day is in the archive: `soundcharts-pipeline restore-archive` brings it back, without a call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One asset of the cascade: what one row is, how it is synced, how it is shown."""

    key: str
    group: str
    kinds: frozenset[str]
    description: str
    deps: Sequence[str]
    table: Table
    lineage: Mapping[str, tuple[str, str]]
    sync: Callable[[SyncContext, ChartSettings, Sequence[date]], SyncReport]
    rows: Callable[[Connection, ChartDays, ChartSettings], Mapping[date, int]]
    preview: Callable[[Connection, str, date], Preview]
    checks: Sequence[Check]
    pictures: Callable[[Connection, str, date], Mapping[str, dg.MarkdownMetadataValue]] | None = None
    announce: Callable[[SyncContext, str, datetime], dg.AssetMaterialization | None] | None = None


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
        ctx = SyncContext(
            client=soundcharts.client,
            warehouse=database.warehouse,
            max_in_flight=soundcharts.max_in_flight,
            run_id=context.run.run_id,
            step=stage.key,
        )
        if soundcharts.dry_run:
            yield from dry_run(context, settings, ctx, soundcharts.environment)
        else:
            yield _Step(context, stage, settings, ctx, soundcharts.source).run()

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

    def run(self) -> dg.MaterializeResult[Any]:
        spans = spans_of(self._context.partition_keys)
        done: dict[str, Metadata] = {}
        for span in spans:
            record = _Record(span, partial(self._record, span), self._context.log.info)
            try:
                done |= self._sync(span, replace(self._ctx, watcher=record))
            except BaseException as error:
                # Not only errors: a run that is cancelled records what it leaves behind, too.
                self._log_materializations(done)
                with suppress(StorageError):
                    record.finish()
                if isinstance(error, USER_ERRORS):
                    raise failure_of(error, below=self._below()) from None
                raise
        for key, metadata in done.items():
            self._context.add_asset_metadata(metadata, partition_key=key)
        return dg.MaterializeResult(check_results=self._checks(spans))

    def _below(self) -> list[str]:
        """Assets of this run that Dagster leaves out when this one fails."""
        layer = self._context.job_def.asset_layer
        graph = layer.asset_graph
        return sorted(
            key.to_user_string()
            for key in layer.selected_asset_keys
            if self._context.asset_key in graph.get_ancestor_asset_keys(key)
        )

    def _sync(self, span: ChartSpan, ctx: SyncContext) -> dict[str, Metadata]:
        chart = self._settings.chart(span.slug)
        reason = exclusion(self._stage.key, chart)
        if reason:
            self._context.log.info(f"{span}: left out, {reason}; no call was made")
            return {key: {"left_out": reason, "calls": 0} for key in span.keys}
        calls_before = ctx.client.usage.calls
        try:
            check_source(ctx, self._source)
            if self._stage.deps:
                check_upstream(ctx, span.slug, span.days, metadata=self._stage.group == "artists")
            report = self._stage.sync(ctx, chart, span.days)
            # Every call of the step, those too that a sync function makes before it works through its worklist.
            report.calls = ctx.client.usage.calls - calls_before
        finally:
            # Calls that ended in an error before anything was saved are counted too.
            with ctx.warehouse.write() as conn:
                note_source(ctx, conn, self._source)
                ctx.keep_usage(conn)
        self._context.log.info(f"{span}: {report}")
        self._announce(chart)
        return self._metadata(span, chart, span.days, report)

    def _metadata(
        self, span: ChartSpan, chart: ChartSettings, days: Sequence[date], report: SyncReport | None
    ) -> dict[str, Metadata]:
        spent = {} if report is None else _spent(report, len(days))
        # Of a series it says nothing: many artists have no account on a platform.
        if report is not None and report.not_found and self._stage.key.endswith("_metadata"):
            trouble = trouble_of(NotFound.__name__)
            spent[NOT_FOUND_MEANS] = f"{trouble.title}: {trouble.explanation} {trouble.remedy}"
        with self._ctx.warehouse.read() as conn:
            archived = archived_days(conn, ChartDays(span.slug, span.first, span.last))
            rows = self._stage.rows(conn, ChartDays(span.slug, span.first, span.last), chart)
            previews = {day: as_markdown(self._stage.preview(conn, span.slug, day)) for day in days[-PREVIEWED_DAYS:]}
            pictures = {} if report is None else self._pictures(conn, span.slug, [day for day in days if rows.get(day)])
            return {
                partition_key(span.slug, day): {
                    "dagster/partition_row_count": rows.get(day, 0),
                    **spent,
                    **({} if rows.get(day) else {"empty": ARCHIVED if day in archived else NOTHING}),
                    **({"preview": previews[day]} if day in previews else {}),
                    **pictures.get(day, {}),
                }
                for day in days
            }

    def _pictures(self, conn: Connection, slug: str, days: Sequence[date]) -> dict[date, Metadata]:
        """Of the newest day alone: a picture is as large as all the other facts of a day."""
        return {days[-1]: {**self._stage.pictures(conn, slug, days[-1])}} if self._stage.pictures and days else {}

    def _record(self, span: ChartSpan, days: Sequence[date]) -> None:
        """Record days that are complete although their step is not. A single day is complete with its step alone."""
        chart = self._settings.chart(span.slug)
        if len(span.days) > 1 and days:
            self._announce(chart)
            self._log_materializations(self._metadata(span, chart, days, None))

    def _announce(self, chart: ChartSettings) -> None:
        news = self._stage.announce(self._ctx, chart.slug, self._started) if self._stage.announce else None
        if news and chart.active:
            self._context.log_event(news)

    def _log_materializations(self, finished: Mapping[str, Metadata]) -> None:
        for key, metadata in finished.items():
            self._context.log_event(
                dg.AssetMaterialization(asset_key=self._context.asset_key, partition=key, metadata=metadata)
            )

    def _checks(self, spans: Sequence[ChartSpan]) -> list[dg.AssetCheckResult]:
        days = [ChartDays(span.slug, span.first, span.last) for span in spans if self._is_included(span)]
        with self._ctx.warehouse.read() as conn:
            return [check.result(conn, days) for check in self._stage.checks]

    def _is_included(self, span: ChartSpan) -> bool:
        return exclusion(self._stage.key, self._settings.chart(span.slug)) is None


class _Record:
    """Watches the sync of one span: progress goes to the run's log, complete days are recorded, each once."""

    def __init__(self, span: ChartSpan, record: Callable[[Sequence[date]], None], log: Callable[[str], None]) -> None:
        self._span, self._record, self._log = span, record, log
        self._complete: list[date] = []
        self._recorded: set[date] = set()
        self._began = time.monotonic()

    def heard(self, line: str) -> None:
        self._log(f"{self._span}: {line}")

    def left(self, days: Collection[date]) -> None:
        self._complete = [day for day in self._span.days if day not in days]
        if time.monotonic() - self._began >= RECORD_SECONDS:
            self._began = time.monotonic()
            self.finish()

    def finish(self) -> None:
        """Record what is complete by now."""
        new = [day for day in self._complete if day not in self._recorded]
        self._recorded.update(new)
        self._record(new)


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
    return spent
