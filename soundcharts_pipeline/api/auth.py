"""The two ways to prove who calls: a header pair, or OAuth client credentials. Secrets live here and in
the request headers only; nothing here prints them."""

import math
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import requests

from soundcharts_pipeline.api.errors import AuthenticationError, NetworkError, ServerError
from soundcharts_pipeline.api.gateways import (
    is_passing,
    is_tunnel_without_password,
    is_web_page,
    redirect_of,
    wants_a_password,
    wrong_way,
)
from soundcharts_pipeline.api.redaction import credentials_in
from soundcharts_pipeline.api.refusals import cause_of
from soundcharts_pipeline.api.session import ApiSession
from soundcharts_pipeline.wording import program

# The token is renewed this long before it ends, as the vendor's own SDK does; one that lives shorter than twice
# that at half its life, or every call would fetch its own.
RENEW_EARLY_SECONDS = 45
OAUTH_PATH = "/oauth/token"
# An answer to an earlier token may come when there is a newer one.
TOKENS_HIDDEN = 8
# With these a token host gives a token or refuses credentials (RFC 6749, 5.2).
_OF_OAUTH = (200, 400, 401, 403)
# As the vendor gives tokens, for an answer that does not say how long one lives; none is trusted for longer than a day.
USUAL_LIFE_SECONDS, LONGEST_LIFE_SECONDS = 3_600.0, 86_400.0


# What a header can carry (RFC 6750, 2.1, and whatever else is visible).
_SENDABLE = re.compile(r"[\x21-\x7e]+")


class Auth(Protocol):
    """Gives the headers of a call, and may replace them once when the server refuses them."""

    def headers(self) -> dict[str, str]: ...

    def renewed(self, refused: dict[str, str]) -> bool:
        """True when other headers than the refused ones are now at hand."""
        ...

    def secrets(self) -> set[str]:
        """What must not be shown, whoever repeats it."""
        ...


class NoCredentials:
    """Nothing is configured: every call fails with how to configure it."""

    def headers(self) -> dict[str, str]:
        raise AuthenticationError(
            "no Soundcharts credentials: set SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY, or "
            "SOUNDCHARTS_CLIENT_ID and SOUNDCHARTS_CLIENT_SECRET "
            f"(or try without any: `{program()} demo`)"
        )

    def renewed(self, refused: dict[str, str]) -> bool:  # noqa: ARG002
        return False

    def secrets(self) -> set[str]:
        return set()


class HeaderPair:
    """`x-app-id` and `x-api-key`."""

    def __init__(self, app_id: str, api_key: str) -> None:
        self._headers = {"x-app-id": app_id, "x-api-key": api_key}

    def headers(self) -> dict[str, str]:
        return self._headers

    def renewed(self, refused: dict[str, str]) -> bool:  # noqa: ARG002
        return False

    def secrets(self) -> set[str]:
        return set(self._headers.values())


class ClientCredentials:
    """OAuth 2 client credentials: one bearer token shared by all threads, renewed early and after a 401.

    `auth_url` is the host (`https://account.soundcharts.com`); `team_id` is for clients that serve several teams;
    `monotonic` is a clock in seconds.
    """

    def __init__(
        self,
        auth_url: str,
        client_id: str,
        client_secret: str,
        *,
        team_id: str | None = None,
        session: ApiSession,
        timeout: tuple[float, float] = (10, 30),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = auth_url.rstrip("/").removesuffix(OAUTH_PATH) + OAUTH_PATH
        self._pair = (client_id, client_secret)
        self._form = {"grant_type": "client_credentials", **({"team_id": team_id} if team_id else {})}
        self._session = session
        self._timeout = timeout
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._headers: dict[str, str] = {}
        self._tokens: tuple[str, ...] = ()
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

    def secrets(self) -> set[str]:
        return {*self._pair, ":".join(self._pair), *self._tokens, *credentials_in([self._url])}

    def _fetch(self) -> None:
        response = self._asked()
        status = response.status_code
        try:
            # A redirect is no token either: following it would carry the secret elsewhere.
            body = response.json() if response.ok and not response.is_redirect else {}
        except (ValueError, RecursionError):
            raise ServerError(f"{self._url} answered with a broken body; try again later", endpoint="token") from None
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
            team = ", and SOUNDCHARTS_TEAM_ID" if "team_id" in self._form else ""
            what = (
                f"refused the client credentials ({status}); check SOUNDCHARTS_CLIENT_ID and SOUNDCHARTS_CLIENT_SECRET"
            )
            if status not in _OF_OAUTH or is_web_page(response):
                what, team = f"gave no token ({status}); check SOUNDCHARTS_AUTH_URL", ""
            raise AuthenticationError(f"{self._url} {what}{team}", endpoint="token", status=status)
        self._tokens = (*self._tokens, token)[-TOKENS_HIDDEN:]
        self._headers = {"Authorization": f"Bearer {token}"}
        life = _life(body.get("expires_in"))
        self._renew_at = self._monotonic() + life - min(RENEW_EARLY_SECONDS, life / 2)

    def _asked(self) -> requests.Response:
        """What the token host says of the credentials; raises for what says nothing of them."""
        proxy = self._session.proxy_variable(self._url)
        try:
            response = self._session.post(
                self._url, auth=self._pair, data=self._form, timeout=self._timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            what = f"no answer ({cause_of(error)}); check the network and SOUNDCHARTS_AUTH_URL"
            if is_tunnel_without_password(error):
                what = wants_a_password(proxy)
            raise NetworkError(f"{self._url}: {what}", endpoint="token") from None
        status = response.status_code
        if wrong := wrong_way(response, variable="SOUNDCHARTS_AUTH_URL", proxy=proxy):
            raise NetworkError(f"{self._url}: {wrong}", endpoint="token", status=status)
        if place := redirect_of(response):
            wrong = f"redirected ({status}) to {place}; check SOUNDCHARTS_AUTH_URL"
            raise NetworkError(f"{self._url}: {wrong}", endpoint="token", status=status)
        if status == 429 or 300 <= status < 400 or is_passing(status):
            raise ServerError(f"{self._url} answered {status}; try again later", endpoint="token", status=status)
        return response


def _life(told: Any) -> float:
    """Seconds that a token lives, from `expires_in`: a number, also as text; everything else says nothing."""
    try:
        seconds = float(told)
    except (TypeError, ValueError, OverflowError):
        return USUAL_LIFE_SECONDS
    if isinstance(told, bool) or math.isnan(seconds) or seconds <= 0:
        return USUAL_LIFE_SECONDS
    return min(seconds, LONGEST_LIFE_SECONDS)
