"""Configuration for what speaks HTTP and SQL. A field that is not set takes its environment variable at run
time, never at load; secrets come from the environment alone, so that no run configuration shows them."""

import os
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import dagster as dg
from pydantic import Field, PrivateAttr

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.clock import Clock
from soundcharts_pipeline.config.environment import Environment, keep_private, read_environment
from soundcharts_pipeline.orchestration.dagster_connections import keep_connections
from soundcharts_pipeline.orchestration.dead_runs import process_tags
from soundcharts_pipeline.orchestration.heartbeat import Heartbeat
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client, source_of

# A database server that is restarted or cut off is there again within this; leases wait for it too.
PATIENCE_SECONDS = 300.0
_DATABASE_URL = "the database; not set: SOUNDCHARTS_DATABASE_URL"


class SoundchartsResource(dg.ConfigurableResource["SoundchartsResource"]):
    """The account: one client, with its connections, for every asset of a process; its limits are shared by all."""

    endpoints: dict[str, str] = Field(default_factory=dict, description="paths that replace the built-in ones, by name")
    run_budget: int | None = Field(
        default=None,
        ge=1,
        description="at most so many billed calls in this run; not set: SOUNDCHARTS_RUN_BUDGET",
    )

    quota_overage: int | None = Field(
        default=None,
        ge=0,
        description="billed calls allowed beyond the quota; not set: SOUNDCHARTS_QUOTA_OVERAGE",
    )

    database_url: str | None = Field(default=None, description=_DATABASE_URL)
    refresh: bool = Field(
        default=False,
        description="ask again for what is known of the run's days: rankings, metadata and series, also settled ones",
    )
    dry_run: bool = Field(default=False, description="plan: say what the run would cost, ask and materialise nothing")

    @cached_property
    def environment(self) -> Environment:
        found = _environment(self.database_url)
        return replace(
            found,
            run_budget=found.run_budget if self.run_budget is None else self.run_budget,
            quota_overage=found.quota_overage if self.quota_overage is None else self.quota_overage,
        )

    @cached_property
    def client(self) -> SoundchartsClient:
        return open_client(self.environment, self.endpoints, warehouse=self.warehouse)

    @cached_property
    def warehouse(self) -> Warehouse:
        """Where all processes count their calls of the minute and the term."""
        return Warehouse(self.environment.database_url, patience=PATIENCE_SECONDS)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002  # Dagster's hook
        if "client" in self.__dict__:
            with suppress(StorageError):  # the run has ended, well or badly; a minute later it is forgotten anyway
                self.warehouse.patience = 0.0  # whoever is told to end does not wait
                self.client.rest()
        _close(self)

    @property
    def max_in_flight(self) -> int:
        return self.environment.max_in_flight

    @property
    def clock(self) -> Clock:
        """The calendar clock."""
        return self.environment.clock

    @property
    def source(self) -> str:
        return source_of(self.environment.base_url)


class WarehouseResource(dg.ConfigurableResource["WarehouseResource"]):
    """The database."""

    lengths: ClassVar[Lengths] = Lengths()

    database_url: str | None = Field(default=None, description=_DATABASE_URL)
    _heartbeat: Heartbeat | None = PrivateAttr(default=None)

    @cached_property
    def warehouse(self) -> Warehouse:
        """Where a run waits for a server that is away, and saves nothing more once it was taken for dead."""
        patience = 0.0 if self._heartbeat is None else PATIENCE_SECONDS
        warehouse = Warehouse(_environment(self.database_url).database_url, patience=patience)
        if self._heartbeat is not None:
            warehouse.guard = self._heartbeat.check
        return warehouse

    @property
    def clock(self) -> Clock:
        """The calendar clock."""
        return read_environment(os.environ).clock

    @property
    def data_dir(self) -> Path:
        """Where archives and backups go."""
        return read_environment(os.environ).data_dir

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Files of a run are private wherever it was started. A run says where it works, and that it does: its end
        shows when nobody is left to report it. Raises SettingsError."""
        keep_private(os.environ)
        if context.instance:
            keep_connections(context.instance)
        if context.run and context.instance:
            context.instance.add_run_tags(context.run.run_id, process_tags())
            url = _environment(self.database_url).database_url
            self._heartbeat = Heartbeat(url, context.run.run_id, self.lengths)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002  # Dagster's hook
        if self._heartbeat is not None:
            self._heartbeat.stop()
        _close(self)


def _environment(database_url: str | None) -> Environment:
    """The variables, with another database where a resource names one."""
    other = {} if database_url is None else {"SOUNDCHARTS_DATABASE_URL": database_url}
    return read_environment({**os.environ, **other})


def _close(resource: SoundchartsResource | WarehouseResource) -> None:
    """Every run and every tick has a resource of its own; a code server lives for weeks and keeps none of their
    connections."""
    if "warehouse" in resource.__dict__:
        resource.warehouse.close()
