"""The two ways to prove who calls: a header pair, or OAuth client credentials. Secrets live here and in
the request headers only; nothing here prints them."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import requests

from soundcharts_pipeline.api.errors import AuthenticationError, NetworkError, ServerError

# The token is renewed this long before it ends, as the vendor's own SDK does; one that lives shorter than twice
# that at half its life, or every call would fetch its own.
RENEW_EARLY_SECONDS = 45
OAUTH_PATH = "/oauth/token"


class Auth(Protocol):
    """Gives the headers of a call, and may replace them once when the server refuses them."""

    def headers(self) -> dict[str, str]: ...

    def renewed(self, refused: dict[str, str]) -> bool:
        """True when other headers than the refused ones are now at hand."""
        ...


class NoCredentials:
    """Nothing is configured: every call fails with how to configure it."""

    def headers(self) -> dict[str, str]:
        raise AuthenticationError(
            "no Soundcharts credentials: set SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY, or "
            "SOUNDCHARTS_CLIENT_ID and SOUNDCHARTS_CLIENT_SECRET (or try without any: `make demo`)"
        )

    def renewed(self, refused: dict[str, str]) -> bool:  # noqa: ARG002
        return False


class HeaderPair:
    """`x-app-id` and `x-api-key`."""

    def __init__(self, app_id: str, api_key: str) -> None:
        self._headers = {"x-app-id": app_id, "x-api-key": api_key}

    def headers(self) -> dict[str, str]:
        return self._headers

    def renewed(self, refused: dict[str, str]) -> bool:  # noqa: ARG002
        return False


class ClientCredentials:
    """OAuth 2 client credentials: one bearer token shared by all threads, renewed early and after a 401.

    `auth_url` is the host (`https://account.soundcharts.com`); `monotonic` is a clock in seconds.
    """

    def __init__(
        self,
        auth_url: str,
        client_id: str,
        client_secret: str,
        *,
        session: requests.Session,
        timeout: tuple[float, float] = (10, 30),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = auth_url.rstrip("/").removesuffix(OAUTH_PATH) + OAUTH_PATH
        self._pair = (client_id, client_secret)
        self._session = session
        self._timeout = timeout
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._headers: dict[str, str] = {}
        self._renew_at = 0.0

    def headers(self) -> dict[str, str]:
        with self._lock:
            if not self._headers or self._monotonic() >= self._renew_at:
                self._fetch()
            return self._headers

    def renewed(self, refused: dict[str, str]) -> bool:
        with self._lock:
            # Thirty-two threads may meet the same expired token; the first renews it for all.
            if self._headers == refused:
                self._fetch()
            return True

    def _fetch(self) -> None:
        try:
            response = self._session.post(
                self._url,
                auth=self._pair,
                data={"grant_type": "client_credentials"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise NetworkError(
                f"no answer from {self._url} ({type(error).__name__}); check the network and SOUNDCHARTS_AUTH_URL",
                endpoint="token",
            ) from None
        if response.status_code >= 500 or response.status_code == 429:
            raise ServerError(
                f"{self._url} answered {response.status_code}; try again later",
                endpoint="token",
                status=response.status_code,
            )
        try:
            # A redirect is no token either: following it would carry the secret elsewhere.
            body = response.json() if response.ok and not response.is_redirect else {}
        except ValueError:
            raise ServerError(f"{self._url} answered with a broken body; try again later", endpoint="token") from None
        if not isinstance(body, dict) or not body.get("access_token"):
            raise AuthenticationError(
                f"{self._url} refused the client credentials ({response.status_code}); "
                "check SOUNDCHARTS_CLIENT_ID and SOUNDCHARTS_CLIENT_SECRET",
                endpoint="token",
                status=response.status_code,
            )
        self._headers = {"Authorization": f"Bearer {body['access_token']}"}
        life = float(body.get("expires_in") or 3600)
        self._renew_at = self._monotonic() + life - min(RENEW_EARLY_SECONDS, life / 2)
