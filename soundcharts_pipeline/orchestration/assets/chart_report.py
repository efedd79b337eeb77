"""`chart_report`: the workbook of a chart-day, from what is stored."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from soundcharts_pipeline.config.cascade import ANALYTICS, AUDIENCE_TRENDS, CHART_REPORT, all_keys, exclusion
from soundcharts_pipeline.config.settings import ChartSettings, Settings
from soundcharts_pipeline.models import TRACK_METRICS, ChartDays, artist_metrics
from soundcharts_pipeline.orchestration.assets.by_chart import is_handed_over, no_results
from soundcharts_pipeline.orchestration.assets.recording import ARCHIVED, NOTHING, Metadata, Recording
from soundcharts_pipeline.orchestration.assets.step import backfill_policy
from soundcharts_pipeline.orchestration.assets.table_metadata import as_markdown
from soundcharts_pipeline.orchestration.checks import CHART_DAYS
from soundcharts_pipeline.orchestration.failures import LEFT_OUT
from soundcharts_pipeline.orchestration.freshness import policy_of
from soundcharts_pipeline.orchestration.partitions import partition_key, spans_of
from soundcharts_pipeline.orchestration.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.orchestration.stops import end_if_canceled
from soundcharts_pipeline.reports import WORKBOOK_VERSION
from soundcharts_pipeline.reports.workbook.lines import chart_lines
from soundcharts_pipeline.reports.workbook.report import Report, rows_of_same
from soundcharts_pipeline.storage.files import explained_files
from soundcharts_pipeline.storage.queries.chart_day import read_chart_day
from soundcharts_pipeline.storage.queries.summaries import Preview, archived_days, ranking_rows
from soundcharts_pipeline.storage.queries.worklists import published_days
from soundcharts_pipeline.storage.saves import save_progress
from soundcharts_pipeline.sync.preconditions import without_ranking

if TYPE_CHECKING:
    from soundcharts_pipeline.reports.workbook.read_back import ReadBack

FOLDER = "reports"
# A workbook of 200 places takes a second and a half of a core, and a year of them ten minutes. Who wants that of an
# older day launches this asset alone.
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
        freshness_policy=policy_of(CHART_REPORT, settings),
        code_version=WORKBOOK_VERSION,
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
        end_if_canceled(context)
        if is_handed_over(context, settings, database.warehouse):
            yield from no_results(context)
        elif soundcharts.dry_run:
            context.log.info("dry run: a workbook costs no call, and none is written")
            yield from no_results(context)
        else:
            yield from _Step(context, settings, database).run()

    return chart_report


@dataclass(frozen=True, slots=True)
class Written:
    """A workbook, what its sheets should hold, and what is read from it."""

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
    def __init__(self, context: dg.AssetExecutionContext, settings: Settings, database: WarehouseResource) -> None:
        self._context, self._settings, self._clock = context, settings, database.clock
        self._warehouse, self._folder = database.warehouse, database.data_dir / FOLDER
        selected = {key.to_user_string() for key in context.job_def.asset_layer.selected_asset_keys}
        self._fetches = bool(selected & set(all_keys(settings)) - ANALYTICS)
        self._written: list[Written] = []
        self._recording = Recording(context)

    def run(self) -> Iterator[Any]:
        for span in spans_of(self._context.partition_keys):
            with self._recording.span(span):
                self._keep_books()
                reasons = self._reasons(span)
                for day in self._days_to_work_on(span, reasons.keys()):
                    done = {LEFT_OUT: reasons[day], "calls": 0} if day in reasons else self._write(span.slug, day)
                    self._recording.done[partition_key(span.slug, day)] = done
                    self._keep_books()
        yield from self._recording.results([self._checked()])

    def _keep_books(self) -> None:
        done, total = len(self._recording.done), len(self._context.partition_keys)
        with self._warehouse.write() as conn:
            save_progress(conn, self._context.run.run_id, CHART_REPORT, done, total, self._clock())

    def _reasons(self, span: ChartDays) -> dict[date, str]:
        """Days of which no workbook is written, and why."""
        if not self._fetches:
            return {}
        if reason := exclusion(CHART_REPORT, self._settings.chart(span.slug)):
            return dict.fromkeys(span.days, reason)
        with self._warehouse.read() as conn:
            ranked = sorted(ranking_rows(conn, span))
        return dict.fromkeys(ranked[:-1], NOT_NOW)

    def _days_to_work_on(self, span: ChartDays, left_out: Collection[date]) -> list[date]:
        with self._warehouse.read() as conn:
            lacking = without_ranking(conn, span, purpose="report", besides=left_out)
            published = published_days(conn, span.slug) if lacking else []
        return self._recording.lack([lacking], span, published) if lacking else span.days

    def _write(self, slug: str, day: date) -> Metadata:
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
            made=self._clock(),
        )
        path = self._folder / chart.slug / f"{chart.slug}_{day}.xlsx"
        rows = rows_of_same(path, report)
        if rows is not None:
            self._context.log.info(f"{path}: shows all that is known, and stays as it is")
        else:
            # Who writes no workbook, or only loads the definitions, should not wait for its writer.
            from soundcharts_pipeline.reports.workbook.read_back import read_back
            from soundcharts_pipeline.reports.workbook.workbook import write_workbook

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
            metadata={
                CHART_DAYS: ", ".join(map(str, spans_of(self._recording.done))),
                "workbooks": len(self._written),
                "faults": "; ".join(faults[:20]) or "none",
            },
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
