"""What answers in the API's stead, or for a moment only: redirects, proxies, gateways, load balancers."""

import re

import pytest

from soundcharts_pipeline.api.errors import (
    AuthenticationError,
    BadRequest,
    NetworkError,
    NotFound,
    NotInPlan,
    QuotaExhausted,
    RateLimited,
    ServerError,
    SoundchartsError,
    UnexpectedPayload,
)
from soundcharts_pipeline.api.transport import RetryPolicy

from .calling import TRACK, Says, answering, caller_of, error_of, track

PAGE = b"<html><body>Request Time-out</body></html>"
PASSING = (408, 421, 425)
# What the API document tells of, and the same in HTTP's words: kind, what is said of it, whether it is billed.
MEANT: dict[int, tuple[type[SoundchartsError], str, bool]] = {
    400: (BadRequest, "its platform and its dates", True),
    401: (AuthenticationError, "SOUNDCHARTS_API_KEY", False),
    402: (QuotaExhausted, "used up", False),
    403: (NotInPlan, "the plan", True),
    404: (NotFound, "no such thing", True),
    407: (NetworkError, "the proxy on the way", False),
    410: (NotFound, "withdrawn", True),
    413: (BadRequest, "refuses this question", True),
    414: (BadRequest, "refuses this question", True),
    422: (BadRequest, "refuses this question", True),
    429: (RateLimited, "SOUNDCHARTS_CALLS_PER_MINUTE", False),
    511: (NetworkError, "log in to it", False),
}
OTHERWISE = (UnexpectedPayload, "check SOUNDCHARTS_BASE_URL, and `endpoints:` in charts.yaml", True)


def _meant(status: int) -> tuple[type[SoundchartsError], str, bool]:
    if status < 400 or status in PASSING or (status >= 500 and status != 511):
        return ServerError, f"answered {status}; a later run asks again", False
    return MEANT.get(status, OTHERWISE)


def test_every_status_says_what_to_look_at_and_only_what_the_api_answers_is_billed() -> None:
    says = Says(299, b"{}")
    with answering(lambda _: says) as stub:
        for status in [*range(300, 600), 999]:
            says = Says(status, b"")
            kind, message, is_billed = _meant(status)
            asked_before = len(stub.asked)
            caller = caller_of(stub.url, retry=RetryPolicy(attempts=2, rate_limited_attempts=2))
            error = error_of(caller, kind)
            assert message in str(error)
            assert ("endpoints:" in str(error)) == (kind is UnexpectedPayload)
            assert error.status == status
            tries = 2 if issubclass(kind, NetworkError | ServerError | RateLimited) else 1
            assert len(stub.asked) - asked_before == tries
            [count] = caller.transport.usage.drain().values()
            assert (count.calls, count.billed) == (tries, tries * is_billed)


@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("body", [b"", PAGE, b'{"errors": [{"message": "Too slow."}]}'])
def test_a_load_balancer_that_gave_up_is_asked_again_and_not_paid(status: int, body: bytes) -> None:
    says = Says(status, body, {"retry-after": "3"})
    with answering(lambda _: says if len(stub.asked) == 1 else Says()) as stub:
        caller = caller_of(stub.url)
        track(caller)

    assert caller.between == [3.0]
    [count] = caller.transport.usage.drain().values()
    assert (count.calls, count.billed, count.errors) == (2, 1, 1)


@pytest.mark.parametrize("code", PASSING)
def test_a_moment_in_the_errors_of_an_answer_is_a_moment(code: int) -> None:
    body = {"items": [], "page": {"total": 0}, "errors": [{"code": code, "message": "Too slow."}]}
    with answering(lambda _: Says.json(body)) as stub:
        error_of(caller_of(stub.url), ServerError)

    assert len(stub.asked) == 5


@pytest.mark.parametrize("status", [status for status in range(400, 500) if status not in (401, 402, 407, 429)])
def test_a_gateways_web_page_is_no_answer_of_the_api(status: int) -> None:
    with answering(lambda _: Says(status, PAGE)) as stub:
        caller = caller_of(stub.url, retry=RetryPolicy(attempts=2))
        error_of(caller, ServerError)

    assert len(stub.asked) == 2
    [count] = caller.transport.usage.drain().values()
    assert count.billed == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_carries_the_credentials_elsewhere_and_where_it_leads_is_said(status: int) -> None:
    with answering(lambda _: Says()) as elsewhere:
        to = elsewhere.url.replace("http://", "http://sesame-user:sesame-word@")
        redirect = Says(status, b"", {"location": f"{to}/v2{TRACK}?key=sesame-key#sesame"})
        with answering(lambda _: redirect) as stub:
            by_pair = error_of(caller_of(stub.url, retry=RetryPolicy(attempts=2)), NetworkError)
            by_token = error_of(caller_of(stub.url, oauth_url=stub.url, retry=RetryPolicy(attempts=2)), NetworkError)

    assert elsewhere.asked == []
    assert [asked.path for asked in stub.asked] == [TRACK, TRACK, "/oauth/token", "/oauth/token"]
    assert f"{TRACK}: redirected ({status}) to {elsewhere.url}/v2{TRACK}; SOUNDCHARTS_BASE_URL" in str(by_pair)
    assert f"redirected ({status}) to {elsewhere.url}/v2{TRACK}; SOUNDCHARTS_AUTH_URL" in str(by_token)


@pytest.mark.parametrize(
    ("status", "location", "kind", "message"),
    [
        (301, f"{TRACK}/", UnexpectedPayload, rf"redirected \(301\) to http://[\d.:]+{TRACK}/; .*`endpoints:`"),
        (308, "/api/v3/song", UnexpectedPayload, r"to http://[\d.:]+/api/v3/song; .*`endpoints:`"),
        (302, "/maintenance.html?sesame", ServerError, r"to http://[\d.:]+/maintenance\.html; a later run asks again"),
        (307, "maintenance", ServerError, r"/maintenance; a later run asks again"),
        (302, "", ServerError, r"answered 302; a later run asks again"),
        (301, "http://[", ServerError, r"answered 301; a later run asks again"),
        (301, "//login.example/sso", NetworkError, r"to http://login\.example/sso; SOUNDCHARTS_BASE_URL"),
        (301, f"https://127.0.0.1{TRACK}", NetworkError, rf"to https://127\.0\.0\.1{TRACK}; SOUNDCHARTS_BASE_URL"),
    ],
)
def test_a_redirect_within_the_host_is_of_that_question_alone(
    status: int, location: str, kind: type[SoundchartsError], message: str
) -> None:
    with answering(lambda _: Says(status, b"", {"location": location} if location else {})) as stub:
        error = error_of(caller_of(stub.url, retry=RetryPolicy(attempts=1)), kind)

    assert re.search(message, str(error)), error


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_is_named_by_its_variable(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with answering(lambda _: Says(407, PAGE)) as proxy:
        variable = f"{scheme.upper()}_PROXY"
        monkeypatch.setenv(variable, proxy.url.replace("http://", "http://sesame-user:sesame-word@"))
        caller = caller_of(f"{scheme}://api.example", retry=RetryPolicy(attempts=2))
        error = error_of(caller, NetworkError)
        by_token = caller_of(
            f"{scheme}://api.example", oauth_url=f"{scheme}://token.example", retry=RetryPolicy(attempts=2)
        )
        no_token = error_of(by_token, NetworkError)

    assert len(proxy.asked) == 4
    for said in (error, no_token):
        assert f"the proxy of {variable} wants a user and a password (407)" in str(said)
        assert f"write them into {variable}" in str(said)
        assert "endpoints" not in str(said)
    [count] = caller.transport.usage.drain().values()
    assert (count.calls, count.billed) == (2, 0)


@pytest.mark.parametrize(
    ("says", "kind", "tries", "message"),
    [
        *((Says(status), ServerError, 2, f"answered {status}; try again later") for status in PASSING),
        (Says(404, PAGE), AuthenticationError, 1, "gave no token (404); check SOUNDCHARTS_AUTH_URL"),
        (Says(405, b"{}"), AuthenticationError, 1, "gave no token (405); check SOUNDCHARTS_AUTH_URL"),
        (Says(403, b"{}"), AuthenticationError, 1, "refused the client credentials (403)"),
        (Says(511, b"{}"), NetworkError, 2, "log in to it"),
        (Says(302, b"{}", {"location": "/login"}), NetworkError, 2, "SOUNDCHARTS_AUTH_URL"),
    ],
)
def test_what_stands_before_the_token_host_is_no_word_on_the_credentials(
    says: Says, kind: type[SoundchartsError], tries: int, message: str
) -> None:
    with answering(lambda _: says) as stub:
        caller = caller_of("http://127.0.0.1:9", oauth_url=stub.url, retry=RetryPolicy(attempts=2))
        error = error_of(caller, kind)

    assert [asked.path for asked in stub.asked] == ["/oauth/token"] * tries
    assert message in str(error)
