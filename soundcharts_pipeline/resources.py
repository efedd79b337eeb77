"""Configuration for what speaks HTTP and SQL. A field that is not set takes its environment variable at run
time, never at load; secrets come from the environment alone, so that no run configuration shows them."""

import os
from functools import cached_property
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from soundcharts_pipeline.api.auth import Auth, ClientCredentials, HeaderPair, NoCredentials
from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.throttle import SlidingWindow
from soundcharts_pipeline.api.transport import RetryPolicy, Transport, new_session
from soundcharts_pipeline.environment import Environment, read_environment
from soundcharts_pipeline.storage.warehouse import Warehouse


def open_client(
    environment: Environment,
    endpoints: dict[str, str] | None = None,
    *,
    attempts: int = 5,
    rate_limited_attempts: int = 15,
) -> SoundchartsClient:
    """A client for the account and hosts of the environment. Makes no call."""
    session = new_session(environment.max_in_flight, environment.base_url, os.environ)
    auth: Auth = NoCredentials()
    if environment.client_id and environment.client_secret:
        auth = ClientCredentials(
            environment.auth_url, environment.client_id, environment.client_secret, session=session
        )
    elif environment.app_id and environment.api_key:
        auth = HeaderPair(environment.app_id, environment.api_key)
    transport = Transport(
        base_url=environment.base_url,
        auth=auth,
        session=session,
        throttle=SlidingWindow(environment.calls_per_minute),
        quota_reserve=environment.quota_reserve,
        retry=RetryPolicy(attempts=attempts, rate_limited_attempts=rate_limited_attempts),
    )
    return SoundchartsClient(transport, Endpoints(endpoints))


def source_of(base_url: str) -> str:
    """Where data comes from, as the warehouse remembers it: `local` for anything on this machine."""
    host = urlsplit(base_url).hostname or ""
    return "local" if host in ("localhost", "::1") or host.startswith("127.") else host


class SoundchartsResource(dg.ConfigurableResource["SoundchartsResource"]):
    """The account: one client, with its connections and its rate limit, for every asset of a process."""

    endpoints: dict[str, str] = Field(default_factory=dict, description="paths that replace the built-in ones, by name")

    @cached_property
    def environment(self) -> Environment:
        return read_environment(os.environ)

    @cached_property
    def client(self) -> SoundchartsClient:
        return open_client(self.environment, self.endpoints)

    @property
    def max_in_flight(self) -> int:
        return self.environment.max_in_flight

    @property
    def source(self) -> str:
        return source_of(self.environment.base_url)


class WarehouseResource(dg.ConfigurableResource["WarehouseResource"]):
    """The database."""

    @cached_property
    def warehouse(self) -> Warehouse:
        return Warehouse(read_environment(os.environ).database_url)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002  # Dagster's hook
        """Every run and every tick has a resource of its own; a code server lives for weeks and keeps none of their
        connections."""
        if "warehouse" in self.__dict__:
            self.warehouse.close()
