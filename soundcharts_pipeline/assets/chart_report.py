"""`chart_report`: the workbook of a chart-day, from what is stored."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from soundcharts_pipeline.assets.metadata import as_markdown
from soundcharts_pipeline.assets.step import ARCHIVED, NOTHING, Metadata, backfill_policy
from soundcharts_pipeline.cascade import ANALYTICS, AUDIENCE_TRENDS, CHART_REPORT, all_keys, exclusion
from soundcharts_pipeline.failures import USER_ERRORS, failure_of
from soundcharts_pipeline.models import TRACK_METRICS, artist_metrics
from soundcharts_pipeline.partitions import ChartSpan, partition_key, spans_of
from soundcharts_pipeline.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.settings import ChartSettings, Settings
from soundcharts_pipeline.storage.files import explained_files
from soundcharts_pipeline.storage.saves import save_progress
from soundcharts_pipeline.storage.summaries import Preview, archived_days, ranking_rows
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.storage.worklists import ChartDays, rankings_missing
from soundcharts_pipeline.sync.context import utc_now
from soundcharts_pipeline.sync.upstream import UpstreamMissing

if TYPE_CHECKING:
    from soundcharts_pipeline.reports.workbook import ReadBack

FOLDER = "reports"
# A workbook of 200 places takes some eight seconds of a core, and a year of them the better part of an hour. Who wants
# that of an older day launches this asset alone.
NOT_NOW = f"a run that fetches writes the workbook of its newest day alone; for this one launch {CHART_REPORT} alone"
CHECK = "workbook_reads_back"


def build_chart_report(settings: Settings, partitions_def: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The asset, for these charts."""

    @dg.asset(
        name=CHART_REPORT,
        group_name="analytics",
        kinds={"excel"},
        owners=["team:music-data"],
        description=(
            "One row is one workbook (.xlsx), to forward: summary with charts, ranking, tracks, artists, "
            "audience per platform, trends, and notes on sources, definitions and what is missing. In "
            f"`{FOLDER}/SLUG/SLUG_DAY.xlsx` under the data directory.\n\n"
            "From what is stored. **Makes no call.** A run that fetches too writes the workbook of its newest "
            "day; a run of the analytics alone those of all its days."
        ),
        deps=[AUDIENCE_TRENDS],
        partitions_def=partitions_def,
        backfill_policy=backfill_policy(settings.max_partitions_per_run),
        check_specs=[
            dg.AssetCheckSpec(
                CHECK, asset=CHART_REPORT, description="Each sheet has the rows of its query, and no cell is a formula."
            )
        ],
        # A dry run yields no output.
        output_required=False,
        dagster_type=cast(dg.DagsterType, dg.Nothing),
    )
    def chart_report(
        context: dg.AssetExecutionContext, soundcharts: SoundchartsResource, database: WarehouseResource
    ) -> Iterator[Any]:
        if soundcharts.dry_run:
            context.log.info("dry run: a workbook costs no call, and none is written")
            for output in context.op_execution_context.op_def.output_defs:
                if output.is_required:
                    yield dg.Output(None, output.name)
            return
        yield _Step(context, settings, database.warehouse, database.data_dir / FOLDER).run()

    return chart_report


@dataclass(frozen=True, slots=True)
class Written:
    """A workbook, what its sheets should hold, and what openpyxl reads from it."""

    path: Path
    rows: dict[str, int]
    found: "ReadBack"

    @property
    def faults(self) -> list[str]:
        """What is not as it was written."""
        differing = [
            f"{self.path.name}, {sheet}: {self.found.rows.get(sheet, 0)} of {rows} rows"
            for sheet, rows in self.rows.items()
            if self.found.rows.get(sheet) != rows
        ]
        return differing + [f"{self.path.name}, {cell} is a formula" for cell in self.found.formulas]


class _Step:
    def __init__(
        self, context: dg.AssetExecutionContext, settings: Settings, warehouse: Warehouse, folder: Path
    ) -> None:
        self._context, self._settings, self._warehouse, self._folder = context, settings, warehouse, folder
        selected = {key.to_user_string() for key in context.job_def.asset_layer.selected_asset_keys}
        self._fetches = bool(selected & set(all_keys(settings)) - ANALYTICS)
        self._written: list[Written] = []
        self._done: dict[str, Metadata] = {}

    def run(self) -> dg.MaterializeResult[Any]:
        try:
            self._keep_books()
            for span in spans_of(self._context.partition_keys):
                reasons = self._reasons(span)
                self._check_rankings(span, reasons.keys())
                for day in span.days:
                    done = {"left_out": reasons[day], "calls": 0} if day in reasons else self._write(span.slug, day)
                    self._done[partition_key(span.slug, day)] = done
                    self._keep_books()
        except BaseException as error:
            # Dagster records no partition of a step that fails; those whose workbooks are there are recorded here.
            for key, metadata in self._done.items():
                made = dg.AssetMaterialization(asset_key=self._context.asset_key, partition=key, metadata=metadata)
                self._context.log_event(made)
            if isinstance(error, USER_ERRORS):
                raise failure_of(error) from None
            raise
        for key, metadata in self._done.items():
            self._context.add_asset_metadata(metadata, partition_key=key)
        return dg.MaterializeResult(check_results=[self._checked()])

    def _keep_books(self) -> None:
        done, total = len(self._done), len(self._context.partition_keys)
        with self._warehouse.write() as conn:
            save_progress(conn, self._context.run.run_id, CHART_REPORT, done, total, utc_now())

    def _reasons(self, span: ChartSpan) -> dict[date, str]:
        """Days of which no workbook is written, and why."""
        if not self._fetches:
            return {}
        if reason := exclusion(CHART_REPORT, self._settings.chart(span.slug)):
            return dict.fromkeys(span.days, reason)
        with self._warehouse.read() as conn:
            ranked = sorted(ranking_rows(conn, ChartDays(span.slug, span.first, span.last)))
        return dict.fromkeys(ranked[:-1], NOT_NOW)

    def _check_rankings(self, span: ChartSpan, left_out: Collection[date]) -> None:
        with self._warehouse.read() as conn:
            days = rankings_missing(conn, ChartDays(span.slug, span.first, span.last))
        if missing := [day for day in days if day not in left_out]:
            raise UpstreamMissing(
                f"{span.slug}: the ranking of {missing[0]} is not stored, so there is nothing to report"
            )

    def _write(self, slug: str, day: date) -> Metadata:
        # openpyxl takes a third of a second to import, which nobody should wait for who only loads the definitions.
        from soundcharts_pipeline.reports.summary import chart_lines
        from soundcharts_pipeline.reports.workbook import Report, read_back, write_workbook
        from soundcharts_pipeline.storage.chart_day import read_chart_day

        began, chart = time.monotonic(), self._settings.chart(slug)
        with self._warehouse.read() as conn:
            of = read_chart_day(conn, chart.slug, day, history_days=chart.history_days)
            lines = chart_lines(conn, of)
            archived = archived_days(conn, ChartDays(chart.slug, day, day))
        if not of.ranking:
            return {"dagster/partition_row_count": 0, "calls": 0, "empty": ARCHIVED if archived else NOTHING}
        report = Report(
            name=chart.name,
            of=of,
            lines=lines,
            expected=expected_series(chart),
            left_out=left_out(self._settings, chart),
            made=utc_now(),
        )
        path = self._folder / chart.slug / f"{chart.slug}_{day}.xlsx"
        with explained_files(path.parent):
            rows = write_workbook(path, report)
        self._written.append(Written(path, rows, read_back(path)))
        self._context.log.info(f"{path}: written in {time.monotonic() - began:.1f} s")
        return {
            "dagster/partition_row_count": len(of.ranking),
            "calls": 0,
            "path": dg.MetadataValue.path(str(path)),
            "bytes": path.stat().st_size,
            "sheets": as_markdown(Preview(["sheet", "rows"], list(rows.items()))),
        }

    def _checked(self) -> dg.AssetCheckResult:
        faults = [fault for written in self._written for fault in written.faults]
        return dg.AssetCheckResult(
            check_name=CHECK,
            passed=not faults,
            metadata={"workbooks": len(self._written), "faults": "; ".join(faults[:20]) or "none"},
        )


def expected_series(chart: ChartSettings) -> list[tuple[str, str, str]]:
    """Entity, platform and metric of every series that the chart's settings ask for."""
    tracks = chart.track_audience_platforms if chart.trigger_audience_fetch else ()
    known = chart.trigger_audience_fetch and chart.fetch_track_metadata and chart.auto_extract_artists
    artists: Sequence[str] = chart.artist_audience_platforms if known else ()
    return [
        *(("track", platform, TRACK_METRICS[platform]) for platform in tracks),
        *(("artist", platform, metric) for platform in artists for metric in artist_metrics(platform)),
    ]


def left_out(settings: Settings, chart: ChartSettings) -> dict[str, str]:
    """Assets that the chart's settings leave out, and why."""
    reasons = {key: exclusion(key, chart) for key in all_keys(settings) if key not in ANALYTICS}
    return {key: reason for key, reason in reasons.items() if reason}
