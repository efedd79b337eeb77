"""Housekeeping: assets without partitions, each launched by hand or by a schedule that is off until it is turned on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg

from soundcharts_pipeline.config.cascade import CHART_CATALOG, DATABASE_BACKUP, RANKING_ARCHIVE, STORAGE_REPORT
from soundcharts_pipeline.config.settings import Housekeeping
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.orchestration.assets.pictures import picture
from soundcharts_pipeline.orchestration.assets.remarks import as_metadata
from soundcharts_pipeline.orchestration.assets.table_metadata import as_markdown, column_schema
from soundcharts_pipeline.orchestration.failures import failure_of
from soundcharts_pipeline.orchestration.resources import SoundchartsResource, WarehouseResource
from soundcharts_pipeline.reports.pictures.size_plot import TITLE, size_plot
from soundcharts_pipeline.storage.housekeeping.manifest import Part
from soundcharts_pipeline.storage.housekeeping.size_report import StorageReport, TableSize, make_report
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline.storage.tables import bookkeeping, schema
from soundcharts_pipeline.sync.catalog import sync_catalog
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.preconditions import inside_source

GROUP, OWNERS = "operations", ["team:music-data"]


def build_housekeeping(operations: Housekeeping) -> list[dg.AssetsDefinition]:
    """`ranking_archive`, `database_backup`, `storage_report` and `chart_catalog`."""
    return [_ranking_archive(operations), _database_backup(operations), _storage_report(), _chart_catalog()]


def _ranking_archive(operations: Housekeeping) -> dg.AssetsDefinition:
    @dg.asset(
        name=RANKING_ARCHIVE,
        kinds={"sql", "parquet"},
        description=(
            "One row is one position, or one point of an audience series, of a whole month that ended "
            f"{operations.archive_after_days} days ago or more (`archive_after_days`). Moves such months to Parquet "
            "files in `archive/` under the data directory, and deletes them from the warehouse once the files are "
            "verified.\n\nMakes no call, and nothing that is archived is fetched again. "
            "`soundcharts-pipeline restore-archive` brings it back."
        ),
        group_name=GROUP,
        owners=OWNERS,
    )
    def ranking_archive(context: dg.AssetExecutionContext, database: WarehouseResource) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster does not recognise the parametrised form
        # Parquet takes a third of a second to import, which nobody should wait for who only loads the definitions.
        from soundcharts_pipeline.storage.housekeeping import archive

        now = database.clock()
        before = now.date() - timedelta(days=operations.archive_after_days)
        folder = database.data_dir / archive.FOLDER
        with explained():
            report = archive.archive(database.warehouse, folder, before=before, now=now, on_progress=context.log.info)
        return dg.MaterializeResult(
            metadata={
                "rows_moved": sum(report.removed.values()),
                "files_written": len(report.written),
                "files": len(report.parts),
                "bytes": sum(part.bytes for part in report.parts),
                "months_before": str(before.replace(day=1)),
                "folder": dg.MetadataValue.path(folder),
                "archive": as_markdown(_archived_tables(report.parts)),
            }
        )

    return ranking_archive


def _database_backup(operations: Housekeeping) -> dg.AssetsDefinition:
    @dg.asset(
        name=DATABASE_BACKUP,
        kinds={"sql"},
        description=(
            "One row is one backup: the whole warehouse in one compressed file in `backups/` under the data directory, "
            "made while others read and write, and verified. The newest "
            f"{operations.keep_backups} are kept (`keep_backups`).\n\n"
            "PostgreSQL by `pg_dump`, SQLite by its online backup. Makes no call. `soundcharts-pipeline restore FILE` "
            "brings it back. Dagster's own state and the files of the archive are not in it."
        ),
        group_name=GROUP,
        owners=OWNERS,
    )
    def database_backup(database: WarehouseResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from soundcharts_pipeline.storage.housekeeping import backup

        folder = database.data_dir / backup.FOLDER
        with explained():
            made = backup.back_up(database.warehouse, folder, keep=operations.keep_backups, now=database.clock())
        facts: dict[str, Any] = {
            "file": dg.MetadataValue.path(made.path),
            "bytes": made.bytes,
            "verified": made.verified,
            "removed": ", ".join(path.name for path in made.removed) or "none",
        }
        return dg.MaterializeResult(metadata=facts | ({"bytes_uncompressed": made.raw_bytes} if made.raw_bytes else {}))

    return database_backup


def _storage_report() -> dg.AssetsDefinition:
    @dg.asset(
        name=STORAGE_REPORT,
        kinds={"sql"},
        description=(
            "One row is one table with its rows and bytes, and what it grew by since the report before. Also the "
            "forecast for 30 and 90 days, the day when the disk is full, and the slowest queries: PostgreSQL's own "
            "statistics where `pg_stat_statements` is installed, else the queries of a run, timed now.\n\n"
            "Makes no call. Reads every table once."
        ),
        metadata={
            "dagster/table_name": bookkeeping.storage_sizes.name,
            "dagster/column_schema": column_schema(bookkeeping.storage_sizes),
        },
        group_name=GROUP,
        owners=OWNERS,
    )
    def storage_report(database: WarehouseResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with explained():
            return _shown(make_report(database.warehouse, database.clock()))

    return storage_report


def _chart_catalog() -> dg.AssetsDefinition:
    @dg.asset(
        name=CHART_CATALOG,
        kinds={"soundcharts", "sql"},
        description=(
            "One row is one chart that Soundcharts has: slug, platform, country, frequency. `charts search --saved` "
            "and the hints for a misspelt slug read it.\n\n"
            "Source: `/chart/song/platforms` and `/chart/song/by-platform/{platform}`. **Cost: one call for the list "
            "of platforms and one per 100 charts of each platform.**"
        ),
        metadata={
            "dagster/table_name": schema.charts.name,
            "dagster/column_schema": column_schema(schema.charts),
        },
        group_name=GROUP,
        owners=OWNERS,
    )
    def chart_catalog(
        context: dg.AssetExecutionContext, soundcharts: SoundchartsResource, database: WarehouseResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        ctx = SyncContext(
            client=soundcharts.client,
            warehouse=database.warehouse,
            max_in_flight=soundcharts.max_in_flight,
            run_id=context.run.run_id,
            step=CHART_CATALOG,
            clock=soundcharts.clock,
        )
        with explained(), inside_source(ctx, soundcharts.source):
            found = sync_catalog(ctx)
        rows = sorted(found.items(), key=lambda platform: -platform[1])
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(found.values()),
                "calls": ctx.client.usage.calls,
                "platforms": as_markdown(Preview(["platform", "charts"], rows)),
                **as_metadata(ctx.client.remarks.drain()),
            }
        )

    return chart_catalog


@contextmanager
def explained() -> Iterator[None]:
    """Raise what a user can do something about as a failure that says so."""
    try:
        yield
    except PipelineError as error:
        raise failure_of(error) from None


def _archived_tables(parts: Sequence[Part]) -> Preview:
    rows = []
    for name in dict.fromkeys(part.table for part in parts):
        of = [part for part in parts if part.table == name]
        months = [part.month for part in of]
        rows.append((name, sum(p.rows for p in of), sum(p.bytes for p in of), len(of), min(months), max(months)))
    return Preview(["table", "rows", "bytes", "files", "first month", "last month"], rows)


def _shown(report: StorageReport) -> dg.MaterializeResult[Any]:
    forecast = report.forecast
    facts: dict[str, Any] = {
        "dagster/row_count": sum(size.rows for size in report.sizes),
        "bytes": report.bytes,
        "tables": as_markdown(_tables(report)),
        "size": picture(TITLE, size_plot(report.totals, forecast)),
        "slowest_queries": as_markdown(_queries(report)),
    }
    if report.free_bytes is not None:
        facts["disk_free_bytes"] = report.free_bytes
    if forecast is None:
        facts["forecast"] = "needs two reports, a day or more apart"
    else:
        facts["bytes_a_day"] = int(forecast.bytes_a_day)
        facts["bytes_in_30_days"], facts["bytes_in_90_days"] = forecast.in_30_days, forecast.in_90_days
        full = str(forecast.full_on) if forecast.full_on else "not in sight"
        unseen = "the server's disk cannot be seen from here"
        facts["disk_full_on"] = unseen if report.free_bytes is None else full
    return dg.MaterializeResult(metadata=facts)


def _tables(report: StorageReport) -> Preview:
    since = f"since {report.earlier_at:%Y-%m-%d %H:%M}" if report.earlier_at else "since the last report"
    rows = []
    for size in report.sizes:
        before = report.earlier.get(size.table, TableSize(size.table, 0, 0, 0) if report.earlier else size)
        rows.append(
            (
                size.table,
                size.rows,
                size.table_bytes,
                size.index_bytes,
                size.rows - before.rows,
                size.bytes - before.bytes,
            )
        )
    return Preview(["table", "rows", "bytes", "index bytes", f"rows {since}", f"bytes {since}"], rows)


def _queries(report: StorageReport) -> Preview:
    rows = [(query.query, query.calls, f"{query.milliseconds:,.1f}") for query in report.slowest]
    return Preview(["query", "times run" if not report.timed_now else "times run now", "milliseconds"], rows)
