"""From the environment to a client for its account, and the name of the place that its data comes from."""

import os
from urllib.parse import urlsplit

from soundcharts_pipeline.api.auth import Auth, ClientCredentials, HeaderPair, NoCredentials
from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.throttle import SlidingWindow
from soundcharts_pipeline.api.transport import RetryPolicy, Transport, new_session
from soundcharts_pipeline.environment import Environment


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
