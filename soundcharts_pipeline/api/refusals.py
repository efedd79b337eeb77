"""What an HTTP answer means: its body, or the error that says what to do about it."""

import json
import math
import time
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    NotFound,
    NotInPlan,
    QuotaExhausted,
    RateLimited,
    ServerError,
    SoundchartsError,
    UnexpectedPayload,
)
from soundcharts_pipeline.models import RateNews, RatePermit

# The account's minute is at most this far away; a longer wait is a mistake of somebody's clock.
MAX_SERVER_WAIT_SECONDS = 300.0

_REFUSALS: dict[int, tuple[type[SoundchartsError], str]] = {
    400: (BadRequest, "the API refuses this question; check the platform codes and dates in charts.yaml"),
    401: (
        AuthenticationError,
        "Soundcharts refuses the credentials: check SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY, "
        "or SOUNDCHARTS_CLIENT_ID and SOUNDCHARTS_CLIENT_SECRET",
    ),
    403: (NotInPlan, "the plan (or the sandbox) does not include it"),
    404: (NotFound, "Soundcharts has no such thing"),
    410: (NotFound, "Soundcharts has withdrawn it"),
}


def body_of(response: requests.Response, endpoint: str, path: str) -> dict[str, Any]:
    """The JSON object of a 200 without errors; raises for everything else."""
    if response.status_code != 200:
        raise _refusal(response, endpoint, path)
    try:
        body = json.loads(response.content)
    except ValueError:
        raise ServerError(
            f"{path}: the answer is not JSON; a later run asks again", endpoint=endpoint, status=200
        ) from None
    if not isinstance(body, dict):
        raise UnexpectedPayload(f"{path}: the answer is not a JSON object", endpoint=endpoint, status=200)
    if body.get("errors"):
        # The answer is billed, so another try is made only where it may bring another one.
        kind = BadRequest if _lasts(body["errors"]) else ServerError
        raise kind(
            f"{path}: answered 200 with errors: {_messages(body)}; a later run asks again",
            endpoint=endpoint,
            status=200,
        )
    return body


def quota_remaining(response: requests.Response) -> int | None:
    """Billed calls left in the term, as the server says."""
    number = _number(response.headers.get("x-quota-remaining"))
    return None if number is None else int(number)


def rate_news(response: requests.Response, permit: RatePermit) -> RateNews:
    """What the answer to this call tells of the account's minute and term."""
    limit, remaining, reset = (
        _number(response.headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
    )
    return RateNews(
        call=permit.call,
        under_way=permit.under_way,
        quota=quota_remaining(response),
        let_in=response.status_code != 429,
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=None if reset is None else max(reset, 0.0),
    )


def _refusal(response: requests.Response, endpoint: str, path: str) -> SoundchartsError:
    status, text = response.status_code, _error_text(response)
    if status in (402, 429):
        return _limit_reached(response, endpoint, f"{path}: {status} {text}", text.lower())
    if status >= 500:
        error = ServerError(
            f"{path}: the server answered {status}; a later run asks again", endpoint=endpoint, status=status
        )
        error.wait = _server_wait(response)
        return error
    if status in (403, 404, 410) and response.content.lstrip().startswith(b"<"):
        # The API refuses in JSON. A gateway's page says nothing of the plan or the entity.
        return ServerError(
            f"{path}: a gateway answered {status} with a web page; check the network and SOUNDCHARTS_BASE_URL",
            endpoint=endpoint,
            status=status,
        )
    kind, remedy = _REFUSALS.get(status, (UnexpectedPayload, "check `endpoints:` in charts.yaml"))
    return kind(f"{path}: {status} {text.rstrip('.')}; {remedy}", endpoint=endpoint, status=status)


def _limit_reached(response: requests.Response, endpoint: str, what: str, text: str) -> SoundchartsError:
    """Two things share 429. The rate's text is known ("maximum request count", read by the vendor's SDK), the
    quota's only by its subject; the rate headers stand on every answer and tell nothing."""
    status, left = response.status_code, quota_remaining(response)
    of_the_term = status == 402 or "quota" in text or (left is not None and left <= 0)
    if of_the_term and "maximum request count" not in text:
        return QuotaExhausted(
            f"{what}; the plan's calls for this term are used up: what was saved stays, "
            "a run in the next term (or with a larger plan) resumes",
            endpoint=endpoint,
            status=status,
        )
    error = RateLimited(
        f"{what}; lower SOUNDCHARTS_CALLS_PER_MINUTE if others use this account too",
        endpoint=endpoint,
        status=status,
    )
    error.wait = _server_wait(response)
    return error


def _server_wait(response: requests.Response) -> float | None:
    """Seconds the server asks to wait. One second is added to a rounded-down reset, as the vendor's SDK does."""
    reset = _number(response.headers.get("x-ratelimit-reset")) if response.status_code == 429 else None
    if reset is not None:
        return min(max(reset, 0.0) + 1.0, MAX_SERVER_WAIT_SECONDS)
    after = response.headers.get("Retry-After")
    seconds = _number(after)
    if seconds is None and after:
        try:
            seconds = parsedate_to_datetime(after).timestamp() - time.time()
        except ValueError:
            return None
    return None if seconds is None else min(max(seconds, 0.0), MAX_SERVER_WAIT_SECONDS)


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _error_text(response: requests.Response) -> str:
    try:
        return _messages(json.loads(response.content)) or response.reason or ""
    except ValueError:
        return response.reason or ""


def _lasts(errors: Any) -> bool:
    """Errors that are all refusals: of a member of a batch, or of the question."""
    codes = [e.get("code") if isinstance(e, dict) else None for e in errors] if isinstance(errors, list) else [None]
    return all(isinstance(code, int) and 400 <= code < 500 and code != 429 for code in codes)


def _messages(body: Any) -> str:
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list):
        return str(errors or "")
    return " ".join(str(e.get("message", e)) if isinstance(e, dict) else str(e) for e in errors)


def cause_of(error: requests.RequestException) -> str:
    """What went wrong in a few words; the exception's own text holds addresses of Python objects."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refused"
    if "Name or service not known" in str(error) or "NameResolution" in str(error):
        return "its name is not known"
    if "refused" in str(error):
        return "connection refused"
    return "the connection broke"
