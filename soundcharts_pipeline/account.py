"""From the environment to a client for its account, and the name of the place that its data comes from."""

import os
from urllib.parse import urlsplit

from soundcharts_pipeline.api.auth import Auth, ClientCredentials, HeaderPair, NoCredentials
from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.throttle import SharedThrottle, SlidingWindow, Throttle
from soundcharts_pipeline.api.transport import RetryPolicy, Transport, new_session
from soundcharts_pipeline.environment import Environment
from soundcharts_pipeline.storage.rate_gate import RateGate
from soundcharts_pipeline.storage.warehouse import Warehouse


def open_client(
    environment: Environment,
    endpoints: dict[str, str] | None = None,
    *,
    warehouse: Warehouse | None,
    attempts: int = 5,
    rate_limited_attempts: int = 15,
) -> SoundchartsClient:
    """A client for the account and hosts of the environment. Makes no call. All clients of a warehouse, in whatever
    process, keep the calls per minute and the quota together; one without a warehouse keeps the minute alone."""
    session = new_session(environment.max_in_flight, environment.base_url, os.environ)
    auth: Auth = NoCredentials()
    if environment.client_id and environment.client_secret:
        auth = ClientCredentials(
            environment.auth_url, environment.client_id, environment.client_secret, session=session
        )
    elif environment.app_id and environment.api_key:
        auth = HeaderPair(environment.app_id, environment.api_key)
    per_minute = environment.calls_per_minute
    throttle: Throttle = SlidingWindow(per_minute)
    if warehouse is not None:
        gate = RateGate(warehouse, per_minute=per_minute, quota_reserve=environment.quota_reserve)
        throttle = SharedThrottle(gate)
    known = Endpoints(endpoints)
    transport = Transport(
        base_url=environment.base_url,
        auth=auth,
        session=session,
        throttle=throttle,
        quota_reserve=environment.quota_reserve,
        run_budget=environment.run_budget,
        usage_path=known.path("usage"),
        retry=RetryPolicy(attempts=attempts, rate_limited_attempts=rate_limited_attempts),
    )
    return SoundchartsClient(transport, known)


def source_of(base_url: str) -> str:
    """Where data comes from, as the warehouse remembers it: `local` for anything on this machine."""
    host = urlsplit(base_url).hostname or ""
    return "local" if host in ("localhost", "::1") or host.startswith("127.") else host
