"""From the environment to a client for its account, and the name of the place that its data comes from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from soundcharts_pipeline.api.auth import Auth, ClientCredentials, HeaderPair, NoCredentials
from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.errors import BadRequest
from soundcharts_pipeline.api.session import new_session
from soundcharts_pipeline.api.throttle import SharedThrottle, SlidingWindow, Throttle
from soundcharts_pipeline.api.transport import RetryPolicy, Transport
from soundcharts_pipeline.api.usage import UsageMeter
from soundcharts_pipeline.config.connection import check_connection
from soundcharts_pipeline.config.environment import Environment, read_environment
from soundcharts_pipeline.config.settings import Settings, SettingsError
from soundcharts_pipeline.storage.rate_gate import RateGate
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.preconditions import inside_source


def open_client(
    environment: Environment,
    endpoints: dict[str, str] | None = None,
    *,
    warehouse: Warehouse | None,
    attempts: int = 5,
    rate_limited_attempts: int = 15,
) -> SoundchartsClient:
    """A client for the account and hosts of the environment. Makes no call. All clients of a warehouse, in whatever
    process, keep the calls per minute and the quota together; one without a warehouse keeps the minute alone.

    Raises SettingsError when a proxy or a bundle of certificates of the environment cannot be used.
    """
    with_token = bool(environment.client_id and environment.client_secret)
    check_connection(os.environ, environment.base_url, *([environment.auth_url] if with_token else []))
    session = new_session(environment.max_in_flight, environment.base_url, os.environ)
    auth: Auth = NoCredentials()
    if environment.client_id and environment.client_secret:
        auth = ClientCredentials(
            environment.auth_url,
            environment.client_id,
            environment.client_secret,
            team_id=environment.team_id,
            session=session,
        )
    elif environment.app_id and environment.api_key:
        auth = HeaderPair(environment.app_id, environment.api_key)
    per_minute = environment.calls_per_minute
    throttle: Throttle = SlidingWindow(per_minute)
    if warehouse is not None:
        gate = RateGate(warehouse, per_minute=per_minute, quota_reserve=environment.quota_floor)
        throttle = SharedThrottle(gate)
    known = Endpoints(endpoints)
    transport = Transport(
        base_url=environment.base_url,
        auth=auth,
        session=session,
        throttle=throttle,
        usage=UsageMeter(clock=environment.clock),
        quota_reserve=environment.quota_floor,
        run_budget=environment.run_budget,
        usage_path=known.path("usage"),
        retry=RetryPolicy(attempts=attempts, rate_limited_attempts=rate_limited_attempts),
    )
    return SoundchartsClient(transport, known)


def source_of(base_url: str) -> str:
    """Where data comes from, as the warehouse remembers it: `local` for anything on this machine."""
    host = urlsplit(base_url).hostname or ""
    return "local" if host in ("localhost", "::1") or host.startswith("127.") else host


@contextmanager
def open_context(settings: Settings | None = None) -> Iterator[SyncContext]:
    """Client and warehouse of the environment; calls are counted in the warehouse at the end.

    Raises SourceMismatch when the warehouse was filled from elsewhere. Without settings (a charts file that is
    still to be written) the paths of the endpoints are the built-in ones.
    """
    environment = read_environment(os.environ)
    source = source_of(environment.base_url)
    warehouse = Warehouse(environment.database_url)
    try:
        client = open_client(environment, settings.endpoints if settings else None, warehouse=warehouse)
    except BadRequest as error:
        raise SettingsError(f"{environment.charts_file}: {error}") from None
    ctx = SyncContext(
        client=client, warehouse=warehouse, max_in_flight=environment.max_in_flight, clock=environment.clock
    )
    try:
        with inside_source(ctx, source), warehouse.afterwards(client.rest):
            yield ctx
    finally:
        warehouse.close()
