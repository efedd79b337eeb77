"""What an HTTP answer means: its body, or the error that says what to do about it."""

import math
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

import requests
from urllib3.exceptions import ReadTimeoutError

from soundcharts_pipeline.api.bodies import NotReadable, read_json
from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    ListFull,
    NoAccount,
    NotFound,
    NotInPlan,
    QuotaExhausted,
    RateLimited,
    ServerError,
    SoundchartsError,
    UnexpectedPayload,
    WrongPlatform,
)
from soundcharts_pipeline.api.gateways import PASSING, is_of_the_host, is_passing, is_web_page, redirect_of
from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.models import RateNews, RatePermit

# The account's minute is at most this far away; a longer wait is a mistake of somebody's clock.
MAX_SERVER_WAIT_SECONDS = 300.0
LONGEST_MESSAGE = 500

# A platform that an endpoint does not have is a 404, too (seen live in July 2026: "not a social platform"; documented:
# "Platform not found"). It says nothing of the entity.
_WRONG_PLATFORM = re.compile(r"not an? [\w-]+ platform|platform (was )?not found|unknown platform", re.IGNORECASE)

# What the audience endpoints say of an artist without an account (recorded: "No social account found for artist ...").
_NO_ACCOUNT = re.compile(r"\bno (\w+ )?account", re.IGNORECASE)

_REFUSALS: dict[int, tuple[type[SoundchartsError], str]] = {
    400: (BadRequest, "the API refuses this question; check its platform and its dates"),
    401: (
        AuthenticationError,
        "Soundcharts refuses the credentials: check SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY, "
        "or SOUNDCHARTS_CLIENT_ID and SOUNDCHARTS_CLIENT_SECRET",
    ),
    403: (NotInPlan, "the plan (or the sandbox) does not include it"),
    404: (NotFound, "Soundcharts has no such thing"),
    410: (NotFound, "Soundcharts has withdrawn it"),
    **dict.fromkeys((413, 414, 422), (BadRequest, "the API refuses this question; a later run asks again")),
}
# Statuses that neither the API's documentation nor HTTP explains.
_OTHERWISE = (UnexpectedPayload, "check SOUNDCHARTS_BASE_URL, and `endpoints:` in charts.yaml")


def body_of(
    response: requests.Response, endpoint: str, path: str, redact: Callable[[str], str] = str
) -> dict[str, Any]:
    """The JSON object of a 200 without errors; raises for everything else. `redact` keeps credentials out of what the
    server says. Messages name the path as people write it."""
    path = unquote(path)
    if response.status_code != 200:
        raise _refusal(response, endpoint, path, redact)
    try:
        body = read_json(response.content)
    except ValueError:
        raise ServerError(
            f"{path}: the answer is not JSON; a later run asks again", endpoint=endpoint, status=200
        ) from None
    except NotReadable as error:
        raise UnexpectedPayload(
            f"{path}: the answer cannot be read: {error}; nothing of it was saved, please report it to Soundcharts",
            endpoint=endpoint,
            status=200,
        ) from None
    if not isinstance(body, dict):
        raise UnexpectedPayload(f"{path}: the answer is not a JSON object", endpoint=endpoint, status=200)
    if body.get("errors"):
        # The answer is billed, so another try is made only where it may bring another one.
        kind = BadRequest if _lasts(body["errors"]) else ServerError
        raise kind(
            f"{path}: answered 200 with errors: {_short(redact(_messages(body)))}; a later run asks again",
            endpoint=endpoint,
            status=200,
        )
    return body


def is_error(response: requests.Response) -> bool:
    """Whether something went wrong: that an artist has no account on a platform is an answer like any other."""
    no_account = response.status_code == 404 and _NO_ACCOUNT.search(_error_text(response))
    return response.status_code >= 300 and not no_account


def is_billed(response: requests.Response, path: str) -> bool:
    """The vendor's rule (help.soundcharts.com article 10104246): what the server did not answer is not billed."""
    status = response.status_code
    is_free = status in (401, 402, 429) or (status == 404 and "/by-platform/" in path)
    return is_of_the_host(response) and not is_free


def quota_remaining(response: requests.Response) -> int | None:
    """Billed calls left in the term, as the server says."""
    return _whole(response.headers.get("x-quota-remaining"), bits=64)


def rate_news(response: requests.Response, permit: RatePermit) -> RateNews:
    """What the answer to this call tells of the account's minute and term."""
    limit, remaining, reset = (response.headers.get(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset"))
    seconds = _number(reset)
    return RateNews(
        call=permit.call,
        under_way=permit.under_way,
        quota=quota_remaining(response),
        let_in=response.status_code != 429,
        limit=_whole(limit, bits=32),
        remaining=_whole(remaining, bits=32),
        reset=None if seconds is None else max(seconds, 0.0),
    )


def _refusal(response: requests.Response, endpoint: str, path: str, redact: Callable[[str], str]) -> SoundchartsError:
    status, text = response.status_code, _short(redact(_error_text(response)))
    if status in (402, 429):
        return _limit_reached(response, endpoint, f"{path}: {status} {text}", text.lower())
    if 300 <= status < 400 or is_passing(status):
        return _passing(response, endpoint, path)
    if is_web_page(response):
        # The API refuses in JSON. A gateway's page says nothing of the plan or the entity.
        return ServerError(
            f"{path}: a gateway answered {status} with a web page; check the network and SOUNDCHARTS_BASE_URL",
            endpoint=endpoint,
            status=status,
        )
    # The list of charts has platforms that the others lack; one without charts is simply empty.
    if status == 404 and endpoint != "charts" and _WRONG_PLATFORM.search(text):
        return WrongPlatform(
            f"{path}: 404 {text.rstrip('.')}; take the platform out of charts.yaml, or name another one",
            endpoint=endpoint,
            status=status,
        )
    if status == 404 and _NO_ACCOUNT.search(text):
        return NoAccount(f"{path}: 404 {text}", endpoint=endpoint, status=status)
    kind, remedy = _REFUSALS.get(status, _OTHERWISE)
    return kind(f"{path}: {status} {text.rstrip('.')}; {remedy}", endpoint=endpoint, status=status)


def _passing(response: requests.Response, endpoint: str, path: str) -> SoundchartsError:
    """The state of a moment, or a redirect within the host: of this question, for all others may be well."""
    status, place = response.status_code, redirect_of(response)
    if place is not None and status in (301, 308):
        return UnexpectedPayload(
            f"{path}: redirected ({status}) to {place}; if the endpoint has moved, set its path under `endpoints:` in "
            "charts.yaml",
            endpoint=endpoint,
            status=status,
        )
    what = f"redirected ({status}) to {place}" if place else f"the server answered {status}"
    error = ServerError(f"{path}: {what}; a later run asks again", endpoint=endpoint, status=status)
    error.wait = _server_wait(response)
    return error


def _limit_reached(response: requests.Response, endpoint: str, what: str, text: str) -> SoundchartsError:
    """Three things share 429. The rate's text is known ("maximum request count", read by the vendor's SDK), the
    quota's only by its subject; the rate headers stand on every answer and tell nothing."""
    status, left = response.status_code, quota_remaining(response)
    if "maximum quota reached" in text and ("/favorite" in what or (left is not None and left > 0)):
        return ListFull(f"{what}; remove something from that list first", endpoint=endpoint, status=status)
    # Calls beyond the quota are let in for a while, so that nothing left does not say which limit is meant.
    no_minute_left = response.headers.get("x-ratelimit-remaining", "").strip() == "0"
    of_the_term = status == 402 or "quota" in text or (left is not None and left <= 0 and not no_minute_left)
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
            seconds = parsedate_to_datetime(after).timestamp() - utc_now().timestamp()
        except (ValueError, OverflowError):  # an offset of more than a day, or of more than there are
            return None
    return None if seconds is None else min(max(seconds, 0.0), MAX_SERVER_WAIT_SECONDS)


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _whole(text: str | None, *, bits: int) -> int | None:
    """A whole number that a column of so many bits holds; another one says nothing that could be worked with."""
    number = _number(text)
    return None if number is None or abs(number) >= 2 ** (bits - 1) else int(number)


def _error_text(response: requests.Response) -> str:
    try:
        return _messages(read_json(response.content)) or response.reason or ""
    except (ValueError, NotReadable):
        return response.reason or ""


def _short(text: str) -> str:
    """Errors are stored and shown in a line; servers may answer with pages."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def _lasts(errors: Any) -> bool:
    """Errors that are all refusals: of a member of a batch, or of the question."""
    codes = [e.get("code") if isinstance(e, dict) else None for e in errors] if isinstance(errors, list) else [None]
    return all(isinstance(code, int) and 400 <= code < 500 and code not in {429, *PASSING} for code in codes)


def _messages(body: Any) -> str:
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list):
        return _text(errors or "")
    return " ".join(_text(e.get("message", e) if isinstance(e, dict) else e) for e in errors)


def _text(message: Any) -> str:
    try:
        return str(message)
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        return type(message).__name__


def cause_of(error: requests.RequestException) -> str:
    """What went wrong in a few words; the exception's own text holds addresses of Python objects."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    # In the middle of an answer a time-out is a ConnectionError of requests.
    if isinstance(error, requests.exceptions.Timeout) or isinstance(next(iter(error.args), None), ReadTimeoutError):
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
