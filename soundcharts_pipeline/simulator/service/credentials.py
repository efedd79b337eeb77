"""Who may call: the header pair, or a bearer token from the token endpoint."""

import base64
import binascii
from collections.abc import Callable
from urllib.parse import parse_qs

from soundcharts_pipeline.simulator.service.answers import dump, error_body
from soundcharts_pipeline.simulator.service.wire import Reply, Request

TOKEN_PATH = "/oauth/token"  # noqa: S105
TOKEN_SECONDS = 3_600


class Credentials:
    """The accepted pairs, which belong to one account, and the tokens given out."""

    def __init__(self, app: tuple[str, str], client: tuple[str, str], clock: Callable[[], float]) -> None:
        self._app = app
        self._client = client
        self._clock = clock
        self._expiry: dict[str, float] = {}

    def accept(self, request: Request) -> str | None:
        """None when the call is authorised, else the message of the 401."""
        bearer = bearer_token(request)
        if bearer is not None:
            expiry = self._expiry.get(bearer)
            if expiry is None:
                return "Invalid JWT Token"
            return None if self._clock() < expiry else "Expired JWT Token"
        given = (request.headers.get("x-app-id"), request.headers.get("x-api-key"))
        return None if given == self._app else "Invalid credentials."

    def issue(self, request: Request) -> Reply:
        """The answer of the token endpoint."""
        if request.method != "POST":
            return _refused(405, "Method not allowed.")
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return _refused(400, "Unsupported grant type.")
        if _basic(request.headers.get("authorization", "")) != self._client:
            return _refused(401, "Client authentication failed.")
        token = f"simulator-token-{len(self._expiry) + 1}"
        self._expiry[token] = self._clock() + TOKEN_SECONDS
        return Reply(body=dump({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}))


def bearer_token(request: Request) -> str | None:
    """The token of the call, if it carries one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret


def _refused(status: int, message: str) -> Reply:
    return Reply(status=status, body=error_body(status, message, "access"))
