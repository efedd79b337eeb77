"""What an answer other than a plain 200 means, and how long it asks to wait."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from soundcharts_pipeline.api.errors import (
    BadRequest,
    ListFull,
    NetworkError,
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
from soundcharts_pipeline.api.transport import RetryPolicy

from .calling import TRACK, Says, answering, caller_of, error_of, track
from .recorded import payload


def _refusal(message: str, status: int, **headers: str) -> Says:
    return Says.json({"errors": [{"key": "access", "code": status, "message": message}]}, status, **headers)


@pytest.mark.parametrize(
    ("says", "kind", "message"),
    [
        (Says.json(payload("error_400"), 400), BadRequest, "Supported platforms: spotify, youtube."),
        (Says(400, b"no json"), BadRequest, "400 Bad Request; .*check its platform and its dates"),
        (_refusal("Not in your plan.", 403), NotInPlan, "403 Not in your plan; .*does not include it"),
        (Says(403, b""), NotInPlan, "403 Forbidden"),
        (Says.json(payload("error_404"), 404), NotFound, "404 Not found."),
        (Says.json(payload("error_no_account"), 404), NoAccount, "No social account found for artist Tones and I."),
        (Says.json({"detail": "nothing"}, 404), NotFound, "404 Not Found"),
        (Says.json({"errors": "gone"}, 410), NotFound, "410 gone; Soundcharts has withdrawn it"),
        (Says.json({"errors": ["one", "two"]}, 410), NotFound, "410 one two;"),
        (_refusal("Pay first.", 402), QuotaExhausted, "402 Pay first.; .*used up"),
        (_refusal("Available quota exceeded.", 429), QuotaExhausted, "Available quota exceeded."),
        (_refusal("Too much.", 429, x_quota_remaining="0"), QuotaExhausted, "429 Too much."),
        (_refusal("You have reached your monthly available quota.", 429), QuotaExhausted, "monthly available quota"),
        (_refusal("Maximum quota reached.", 429, x_quota_remaining="400"), ListFull, "remove something"),
        (_refusal("Maximum quota reached.", 429, x_quota_remaining="0"), QuotaExhausted, "Maximum quota reached."),
        (_refusal("x is not a social platform", 404), WrongPlatform, r"404 x is not a social platform; .*charts\.yaml"),
        (_refusal("Platform not found.", 404), WrongPlatform, r"take the platform out of charts\.yaml"),
        (_refusal("Too much.", 429, x_quota_remaining="-3"), QuotaExhausted, "429 Too much."),
        (Says(204, b""), UnexpectedPayload, "204 No Content; .*charts.yaml"),
        (Says(405, b"{}"), UnexpectedPayload, "405 Method Not Allowed; .*charts.yaml"),
        (Says(200, b"[]"), UnexpectedPayload, "not a JSON object"),
        (Says(200, b'"text"'), UnexpectedPayload, "not a JSON object"),
    ],
)
def test_what_another_try_cannot_help_is_asked_once(says: Says, kind: type[SoundchartsError], message: str) -> None:
    with answering(lambda _: says) as stub:
        caller = caller_of(stub.url)
        error = error_of(caller, kind)

    assert type(error) is kind
    assert (error.endpoint, error.status) == ("track", says.status)
    assert re.search(rf"^{TRACK}: .*{message}", str(error))
    assert len(stub.asked) == 1
    assert (caller.between, caller.time.slept) == ([], [])
    [count] = caller.transport.usage.drain().values()
    assert count.errors == (says.status >= 400 and kind is not NoAccount)


def test_a_path_stands_in_a_message_as_people_write_it() -> None:
    asked = "/ranking/2026-11-20T12%3A00%3A00%2B00%3A00"
    with answering(lambda _: Says(403, b"")) as stub, pytest.raises(NotInPlan) as refused:
        caller_of(stub.url).transport.get("ranking", asked, {})
    with pytest.raises(NetworkError) as unanswered:
        caller_of(stub.url).transport.get("ranking", asked, {})

    assert stub.asked[0].target == asked
    for error in (refused, unanswered):
        assert "/ranking/2026-11-20T12:00:00+00:00" in str(error.value)


def test_an_empty_list_with_errors_beside_it_is_not_an_absence() -> None:
    with answering(lambda _: Says.json(payload("errors_in_answer"))) as stub:
        error = error_of(caller_of(stub.url), ServerError)

    assert f"{TRACK}: answered 200 with errors: Partial data." in str(error)
    assert len(stub.asked) == 5


@pytest.mark.parametrize(
    ("errors", "kind", "tries"),
    [
        ([{"code": 404, "message": "Not found."}], BadRequest, 1),
        ([{"code": 403, "message": "No."}, {"code": 400, "message": "No."}], BadRequest, 1),
        ([{"code": 404, "message": "Not found."}, {"code": 500, "message": "Partial data."}], ServerError, 5),
        ([{"code": 429, "message": "Slow down."}], ServerError, 5),
        (["Partial data."], ServerError, 5),
        ("Partial data.", ServerError, 5),
    ],
)
def test_a_refusal_in_a_billed_answer_is_not_paid_for_again(
    errors: object, kind: type[SoundchartsError], tries: int
) -> None:
    with answering(lambda _: Says.json({"items": [], "page": {"total": 0}, "errors": errors})) as stub:
        error_of(caller_of(stub.url), kind)

    assert len(stub.asked) == tries


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_gateways_web_page_says_nothing_of_the_plan_or_the_entity(status: int) -> None:
    page = b"\n<!DOCTYPE html><html><body>Access denied</body></html>"
    with answering(lambda _: Says(status, page, {"content-type": "text/html"})) as stub:
        error = error_of(caller_of(stub.url), ServerError)

    assert f"{TRACK}: a gateway answered {status} with a web page" in str(error)
    assert len(stub.asked) == 5


@pytest.mark.parametrize(
    "says",
    [
        _refusal("Maximum request count reached.", 429),
        _refusal("You have reached the maximum request count per minute; see your quota.", 429),
        _refusal("You have reached the maximum request count per minute.", 429, x_quota_remaining="0"),
        _refusal("Too many requests.", 429, x_quota_remaining="4"),
        Says(429, b""),
    ],
)
def test_a_429_is_the_minute_unless_it_speaks_of_the_quota(says: Says) -> None:
    with answering(lambda _: says) as stub:
        error_of(caller_of(stub.url, retry=RetryPolicy(rate_limited_attempts=1)), RateLimited)

    assert len(stub.asked) == 1


LONG_AGO = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
FAR_AHEAD = format_datetime(datetime(2199, 1, 1, tzinfo=UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x_ratelimit_reset": "37"}, 38.0),
        ({"x_ratelimit_reset": "0"}, 1.0),
        ({"x_ratelimit_reset": "-5"}, 1.0),
        ({"x_ratelimit_reset": "4", "retry_after": "90"}, 5.0),
        ({"x_ratelimit_reset": "soon", "retry_after": "7"}, 7.0),
        ({"x_ratelimit_reset": "1795305600"}, 300.0),
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after": FAR_AHEAD}, 300.0),
        ({"retry_after": "whenever"}, 10.0),
        ({"retry_after": "Mon, 01 Jan 2026 00:00:00 +99999999999999"}, 10.0),
        ({}, 10.0),
    ],
)
def test_the_servers_wait_is_read_from_whichever_header_it_sends(headers: dict[str, str], wait: float) -> None:
    refused = _refusal("Maximum request count.", 429, **headers)
    with answering(lambda _: refused if len(stub.asked) == 1 else Says()) as stub:
        caller = caller_of(stub.url)
        track(caller)

    assert caller.time.slept == [wait]


def test_a_wait_that_is_over_is_no_wait() -> None:
    refused = _refusal("Maximum request count.", 429, retry_after=LONG_AGO)
    with answering(lambda _: refused if len(stub.asked) == 1 else Says()) as stub:
        caller = caller_of(stub.url)
        track(caller)

    assert caller.time.slept == []


def test_a_server_in_trouble_may_ask_for_a_longer_wait_than_ours() -> None:
    with answering(lambda _: Says(503, b"", {"retry-after": "33"}) if len(stub.asked) == 1 else Says()) as stub:
        caller = caller_of(stub.url)
        track(caller)

    assert caller.between == [33.0]
    assert caller.time.slept == []


def test_beyond_the_quota_a_full_minute_is_a_minute() -> None:
    says = _refusal("Too much.", 429, x_quota_remaining="-12", x_ratelimit_remaining="0")
    with answering(lambda _: says) as stub:
        error_of(caller_of(stub.url, retry=RetryPolicy(rate_limited_attempts=2)), RateLimited)
