"""Every name that we take from Dagster without its promise, in one place: after an update of Dagster, look here first.

`config/cron.py` takes the iterator of cron strings, and `daemon.py` the daemon's own interval and its look for
backfills, where each is used: the first when somebody needs it, for Dagster takes a second to load; the others before
the daemon begins.
"""

from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterUserCodeUnreachableError
from dagster._core.events import AssetMaterializationPlannedData, RunFailureReason
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.execution.plan.objects import ErrorSource
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, InstigatorType, TickStatus
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage, sqlite_event_log
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.sqlite import LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster._serdes import ConfigurableClassData, deserialize_value, serialize_value
from dagster._utils.schedules import cron_string_iterator
from dagster_shared.error import SerializableErrorInfo

# Each takes `create_engine` by that name.
SQLITE_STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
# Each takes `create_pg_engine` by that name. Not loaded where nobody has a server.
POSTGRES_STORAGES = (
    "dagster_postgres.event_log.event_log",
    "dagster_postgres.run_storage.run_storage",
    "dagster_postgres.schedule_storage.schedule_storage",
)
# What its storages of runs and events ask the catalog of their database.
TABLE_QUESTIONS = (
    *("has_table", "has_asset_key_col", "_has_asset_key_col_on_connection"),
    *("has_run_stats_index_cols", "has_backfill_id_column"),
)

__all__ = [
    "BACKFILL_ID_TAG",
    "DATA_VERSION_TAG",
    "IN_PROGRESS_RUN_STATUSES",
    "LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION",
    "POSTGRES_STORAGES",
    "SQLITE_STORAGES",
    "TABLE_QUESTIONS",
    "AssetMaterializationPlannedData",
    "BulkActionStatus",
    "BulkActionsFilter",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterExecutionInterruptedError",
    "DagsterStorage",
    "DagsterUserCodeUnreachableError",
    "ErrorSource",
    "InstanceRef",
    "InstigatorState",
    "InstigatorTick",
    "InstigatorType",
    "LaunchRunContext",
    "PartitionBackfill",
    "RunFailureReason",
    "RunLauncher",
    "RunStorageSqlMetadata",
    "ScheduleStorageSqlMetadata",
    "SerializableErrorInfo",
    "SqlEventLogStorage",
    "SqlEventLogStorageMetadata",
    "SqliteEventLogStorage",
    "TickStatus",
    "UnresolvedAssetJobDefinition",
    "WorkerStatus",
    "cron_string_iterator",
    "deserialize_value",
    "get_and_update_asset_status_cache_value",
    "serialize_value",
]
