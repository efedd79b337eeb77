"""The single place where a request leaves: credentials, time-outs, bounded retries, waits, quota.

Nothing above retries. One `get` costs one billed call, plus one for every attempt the server answered and
that had to be repeated all the same (a body that was cut off).
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from soundcharts_pipeline.api.auth import Auth
from soundcharts_pipeline.api.budget import RunBudget
from soundcharts_pipeline.api.endpoints import FREE, PATHS
from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    NetworkError,
    NotFound,
    NotInPlan,
    QuotaExhausted,
    RateLimited,
    SoundchartsError,
    TransientError,
    UnexpectedPayload,
)
from soundcharts_pipeline.api.gateways import is_tunnel_without_password, wants_a_password, wrong_way
from soundcharts_pipeline.api.redaction import credentials_in, redacted
from soundcharts_pipeline.api.refusals import body_of, cause_of, is_billed, is_error, quota_remaining, rate_news
from soundcharts_pipeline.api.session import ApiSession
from soundcharts_pipeline.api.throttle import Throttle
from soundcharts_pipeline.api.usage import UsageMeter
from soundcharts_pipeline.models import RateNews, RatePermit

# Without any word from the server: a sixth of the minute that the limit is counted over.
RATE_WAIT_SECONDS = 10.0
# Near the end of the quota, until other processes' calls are back: a call takes a fifth of a second and more.
# They may also be a killed process's, which count for a minute: whoever waits longer asks less often.
QUOTA_WAIT_SECONDS = 0.5
LONGEST_QUOTA_WAIT_SECONDS = 4.0
# For so long nobody asks again what was left: threads, and the other steps of a run, meet the end one after the other.
LAST_WORD_SECONDS = 1.0
# A used up quota and refused credentials stay so for longer; a client of a run mostly ends sooner.
REFUSAL_SECONDS = 60.0
USAGE = "usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often one question is tried, and how long to wait between tries (seconds, jittered, doubling)."""

    attempts: int = 5
    rate_limited_attempts: int = 15
    first_wait: float = 0.5
    longest_wait: float = 10.0


class Transport:
    """Thread-safe. `sleep` waits between tries, `timeout` is (connect, read) in seconds."""

    def __init__(
        self,
        *,
        base_url: str,
        auth: Auth,
        session: ApiSession,
        throttle: Throttle,
        usage: UsageMeter | None = None,
        quota_reserve: int = 0,
        run_budget: int | None = None,
        usage_path: str = PATHS[USAGE],
        timeout: tuple[float, float] = (10.0, 60.0),
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._host = urlsplit(base_url).netloc.rpartition("@")[2] or base_url
        self._auth = auth
        self._session = session
        self._throttle = throttle
        self.usage = usage or UsageMeter()
        self._quota_reserve = quota_reserve
        self._budget = RunBudget(run_budget, self.usage)
        self._usage_path = usage_path
        self._timeout = timeout
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._asking = threading.Lock()
        self._monotonic = monotonic
        self._times_asked = 0
        self._asked_at = 0.0
        self._verdict: SoundchartsError | None = None
        self._untold = False
        self._refused: tuple[float, SoundchartsError] | None = None

    def get(self, endpoint: str, path: str, params: Mapping[str, str | int]) -> dict[str, Any]:
        """The JSON object at `path`; raises one of `errors` after the last try."""
        policy = self._retry
        failures: Counter[bool] = Counter()
        backoff = wait_exponential_jitter(
            multiplier=policy.first_wait, max=policy.longest_wait, jitter=policy.first_wait
        )

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, RateLimited):
                return 0.0  # the throttle holds every thread back, this one too
            return max(backoff(state), getattr(error, "wait", None) or 0.0)

        def stop(state: RetryCallState) -> bool:
            # Counted apart: a question that had to wait for its turn has not been tried yet.
            limited = state.outcome is not None and isinstance(state.outcome.exception(), RateLimited)
            failures[limited] += 1
            return failures[limited] >= (policy.rate_limited_attempts if limited else policy.attempts)

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            wait=wait,
            stop=stop,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            body: dict[str, Any] = retrying(self._attempt, endpoint, path, params)
        except SoundchartsError as error:
            # Whoever wrote it: errors are shown, sent and stored.
            error.args = (self.redact(str(error)),)
            raise
        return body

    def redact(self, text: str) -> str:
        """The text without any credentials of this client."""
        urls = [self._base_url, *map(str, self._session.proxies.values())]
        return redacted(text, {*self._auth.secrets(), *credentials_in(urls)})

    def rest(self) -> None:
        """No call follows soon."""
        self._throttle.rest()

    def _attempt(self, endpoint: str, path: str, params: Mapping[str, str | int]) -> dict[str, Any]:
        if self._refused and self._monotonic() < self._refused[0] + REFUSAL_SECONDS and endpoint not in FREE:
            raise copy(self._refused[1])
        return self._body(self._answer(endpoint, path, params), endpoint, path)

    def _answer(self, endpoint: str, path: str, params: Mapping[str, str | int]) -> requests.Response:
        headers = self._auth.headers()
        response = self._send(endpoint, path, params, headers)
        if response.status_code == 401 and self._auth.renewed(headers):
            response = self._send(endpoint, path, params, self._auth.headers())
        return response

    def _body(self, response: requests.Response, endpoint: str, path: str) -> dict[str, Any]:
        if response.status_code != 200:
            proxy = self._session.proxy_variable(self._base_url)
            if wrong := wrong_way(response, variable="SOUNDCHARTS_BASE_URL", proxy=proxy):
                raise NetworkError(f"{unquote(path)}: {wrong}", endpoint=endpoint, status=response.status_code)
        try:
            return body_of(response, endpoint, path, self.redact)
        except RateLimited as error:
            self._throttle.pause(RATE_WAIT_SECONDS if error.wait is None else error.wait)
            raise
        except (AuthenticationError, QuotaExhausted) as error:
            self._refused = (self._monotonic(), error)
            raise

    def _send(
        self, endpoint: str, path: str, params: Mapping[str, str | int], headers: dict[str, str]
    ) -> requests.Response:
        with nullcontext() if endpoint in FREE else self._budget.one_call():
            permit = self._permit(endpoint)
            news: RateNews | None = None
            try:
                response = self._exchange(endpoint, path, params, headers)
                news = rate_news(response, permit)
            finally:
                self._throttle.received(permit, news)
        return response

    def _exchange(
        self, endpoint: str, path: str, params: Mapping[str, str | int], headers: dict[str, str]
    ) -> requests.Response:
        calls_before = self.usage.calls
        try:
            headers = {"Accept": "application/json", **headers}
            response = self._session.ask(self._base_url + path, params, headers, self._timeout)
            self._count(endpoint, path, response, calls_before)
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ):
            raise BadRequest(
                f"{self._base_url!r} is no URL; set SOUNDCHARTS_BASE_URL to one like https://customer.api.soundcharts.com"
            ) from None
        except requests.RequestException as error:
            self.usage.add(endpoint, billed=False, error=True, throttled=False)
            if is_tunnel_without_password(error):
                wanted = wants_a_password(self._session.proxy_variable(self._base_url))
                raise NetworkError(f"{unquote(path)}: {wanted}", endpoint=endpoint, status=407) from None
            raise NetworkError(
                f"no whole answer from {self._host} for {unquote(path)} ({cause_of(error)}); check the network, "
                "the proxy settings and SOUNDCHARTS_BASE_URL, then run again: what was saved stays",
                endpoint=endpoint,
            ) from None
        return response

    def _permit(self, endpoint: str) -> RatePermit:
        """Wait until the call may leave. Raises QuotaExhausted when no billed one is left above the reserve."""
        wait = 0.0
        while True:
            asked = self._times_asked
            permit = self._throttle.acquire(free=endpoint in FREE or self._untold)
            if permit is not None:
                return permit
            self._settle_quota(asked, wait)
            wait = min(2 * wait or QUOTA_WAIT_SECONDS, LONGEST_QUOTA_WAIT_SECONDS)

    def _settle_quota(self, asked: int, wait: float) -> None:
        """Ask the server what is left, in one free call for all threads that met the end since `asked`."""
        with self._asking:
            fresh = self._verdict is not None and self._monotonic() < self._asked_at + LAST_WORD_SECONDS
            if asked == self._times_asked and not fresh:
                if wait:
                    self._sleep(wait)
                try:
                    self._verdict = self._what_is_left()
                except SoundchartsError as error:
                    self._verdict = error
                self._times_asked += 1
                self._asked_at = self._monotonic()
            if self._verdict is not None:
                raise self._verdict

    def _what_is_left(self) -> QuotaExhausted | None:
        """The end of the quota as an error. The throttle hears of what the answer told, and goes on if it may."""
        # One try: the question that waits for this is itself tried again.
        response = self._answer(USAGE, self._usage_path, {})
        # A plan without this endpoint says what is left all the same, or nothing: then its own refusal must do.
        with suppress(NotFound, NotInPlan, BadRequest, UnexpectedPayload):
            self._body(response, USAGE, self._usage_path)
        left = quota_remaining(response)
        self._untold = left is None
        if left is None or left > self._quota_reserve:
            return None
        beyond = (
            f"{self._quota_reserve:,} are kept (SOUNDCHARTS_QUOTA_RESERVE)"
            if self._quota_reserve >= 0
            else f"{-self._quota_reserve:,} calls beyond it are allowed (SOUNDCHARTS_QUOTA_OVERAGE)"
        )
        return QuotaExhausted(
            f"the quota is used up: {left:,} billed calls are left in this term and {beyond}; what was saved stays, "
            "a later run resumes"
        )

    def _count(self, endpoint: str, path: str, response: requests.Response, calls_before: int) -> None:
        status = response.status_code
        self.usage.add(
            endpoint,
            billed=endpoint not in FREE and is_billed(response, path),
            error=is_error(response),
            throttled=status == 429,
            quota=quota_remaining(response),
            since=calls_before,
        )
