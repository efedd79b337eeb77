"""What the step of an asset is told of it: what one row is, how it is synced, how it is shown."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar

import dagster as dg
from sqlalchemy import Connection, Table

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.pictures import Pictures
from soundcharts_pipeline.orchestration.checks import Check
from soundcharts_pipeline.storage.queries.summaries import Preview
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.report import SyncReport

# Columns of a table, and the asset and column that each comes from.
Lineage = Mapping[str, tuple[str, str]]


class Stage(ABC):
    """One asset of the cascade.

    `key` and `deps` are keys of `config/cascade.py`; `lineage` is of columns of `table`. `completes`: with it,
    and all that it is made from, a chart-day is complete. `code_version`: of what is computed from stored rows alone;
    Dagster then shows what was made by another version as outdated.
    """

    key: str
    group: str
    kinds: frozenset[str] = frozenset({"soundcharts", "sql"})
    description: str
    deps: Sequence[str] = ()
    table: Table
    lineage: ClassVar[Lineage] = {}
    completes: ClassVar[bool] = False
    checks: Sequence[Check]
    code_version: str | None = None

    @abstractmethod
    def sync(self, ctx: SyncContext, chart: ChartSettings, days: Sequence[date], /) -> SyncReport:
        """Fetch or compute what the chart's days (oldest first) lack. Days between them may be left out.
        Raises PipelineError, after saving the rest."""

    @abstractmethod
    def rows(self, conn: Connection, span: ChartDays, chart: ChartSettings, /) -> Mapping[date, int]:
        """How many rows each of the days has; one without rows may be left out."""

    @abstractmethod
    def preview(self, conn: Connection, slug: str, day: date, /) -> Preview:
        """The first rows of a chart-day."""

    def pictures(self, _conn: Connection, _slug: str, _day: date, /) -> Pictures:
        """Pictures of a chart-day, by name."""
        return {}

    def announce(self, _ctx: SyncContext, _slug: str, _since: datetime, /) -> dg.AssetMaterialization | None:
        """What else there is to report of the chart when something was saved since that moment (UTC)."""
        return None
