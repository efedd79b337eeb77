"""Whoever repeats the credentials, and however they write them: no error, remark or log shows them."""

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from soundcharts_pipeline.api.auth import HeaderPair
from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.api.redaction import HIDDEN, credentials_in, redacted

from .calling import APP, CLIENT, Asked, Says, answering, caller_of, closed_port, outcome

KEY = "s3same/key+with=signs&more"
FORMS: list[Callable[[str], str]] = [
    str,
    str.upper,
    lambda secret: quote(secret, safe=""),
    lambda secret: quote(secret, safe="").lower(),
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.b64encode(secret.encode()).decode().rstrip("="),
    lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "says",
    [
        lambda told: Says.json({"errors": [{"code": 401, "message": f"Key {told} is not known."}]}, 401),
        lambda told: Says.json({"errors": [f"{told}{told}"]}, 400),
        lambda told: Says.json({"errors": {"nested": [told]}}, 403),
        lambda told: Says.json({"errors": [{"code": 404, "message": told}]}, 404),
        lambda told: Says.json({"errors": [{"code": 429, "message": f"quota of {told}"}]}, 429),
        lambda told: Says.json({"errors": [{"code": 400, "message": told}]}, 200),
        lambda told: Says(302, b"", {"location": f"http://elsewhere/?key={quote(told)}"}),
        lambda told: Says.json({"errors": [{"code": 404, "message": "x" * 490 + told}]}, 404),
        lambda told: Says(407, f"<html>{told}</html>".encode()),
    ],
)
def test_a_server_that_repeats_a_key_is_not_quoted(form: Callable[[str], str], says: Callable[[str], Says]) -> None:
    with answering(lambda asked: says(form(asked.headers["x-api-key"]))) as stub:
        error = outcome(caller_of(stub.url, auth=HeaderPair("the-id", KEY)))
    assert error is not None
    shown = f"{error!s} {error!r} {error.args} {error.__dict__}"
    assert not [other for other in FORMS if other(KEY).lower()[:20] in shown.lower()]


def test_neither_token_nor_client_is_shown() -> None:
    def answer(asked: Asked) -> Says:
        if asked.path == "/oauth/token":
            return Says.json({"access_token": "sesame-token", "expires_in": 3600})
        return Says.json({"errors": [{"message": f"{asked.headers['authorization']} of {' '.join(CLIENT)}"}]}, 401)

    with answering(answer) as stub:
        error = outcome(caller_of(stub.url, oauth_url=stub.url))  # which looks for them
    assert f"Bearer {HIDDEN} of {HIDDEN} {HIDDEN}" in str(error)


def test_a_token_host_that_repeats_the_basic_header_is_not_quoted() -> None:
    refused = Says.json({"error": "x"}, 400)
    with answering(lambda _: refused) as stub:
        caller = caller_of(stub.url, oauth_url=stub.url.replace("http://", "http://someone:openpassword@"))
        error = outcome(caller)
    assert isinstance(error, SoundchartsError)
    assert "openpassword" not in str(error)
    basic = base64.b64encode(":".join(CLIENT).encode()).decode()
    assert caller.transport.redact(f"Basic {basic}") == f"Basic {HIDDEN}"


@pytest.mark.parametrize("scheme", ["http", "nonsense"])
def test_credentials_in_the_base_url_are_not_shown(scheme: str) -> None:
    error = outcome(caller_of(f"{scheme}://someone:openpassword%21@127.0.0.1:{closed_port()}"))
    assert error is not None
    assert not [secret for secret in ("openpassword", "someone") if secret in str(error)]


def test_remarks_show_no_credentials_either() -> None:
    said: dict[str, Any] = {"object": {"uuid": "u", "name": "a track", "releaseDate": f"of {APP[1]}"}}
    with answering(lambda _: Says.json(said)) as stub:
        client = caller_of(stub.url).client
        client.tracks(["u"])
    (remark,) = client.remarks.drain()
    assert remark.examples == [("u", f"of {HIDDEN}")]


def test_the_published_pair_is_no_secret_and_a_short_one_is_no_part_of_words() -> None:
    text = "soundcharts-pipeline asks Soundcharts for the latest test"
    assert redacted(text, {"soundcharts", ""}) == text
    assert redacted(text, {"test"}) == f"soundcharts-pipeline asks Soundcharts for the latest {HIDDEN}"


def test_user_names_and_passwords_of_urls_are_found() -> None:
    found = credentials_in(["https://me:pass%2Fword@host/x", "http://plain/", "http://[::1", "http://token@host"])
    assert found == {"me", "pass%2Fword", "pass/word", "me:pass%2Fword", "me:pass/word", "token"}


SECRET = "k3y+secret/x=="


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "said",
    [
        *[
            _base64(f"{before}{SECRET}{after}")
            for before in ("", "a", "ab", "app_id:")
            for after in ("", "!", ":b", "abc")
        ],
        _base64(f"x-api-key: {SECRET}"),
        _base64(f"x-api-key: {SECRET}").rstrip("="),
        base64.urlsafe_b64encode(f"ÿþ??>{SECRET}".encode()).decode(),
        _base64(f"ÿþ??>{SECRET}").replace("/", r"\/"),
        quote(_base64(f"ÿþ??>{SECRET}"), safe=""),
        f"key={_base64(f'app_id:{SECRET}')}{_base64(SECRET)}",
        r"k3y+secret\/x==",
        r"k3y+secret\\/x==",
        r"k3y\u002Bsecret\u002fx\u003d\u003D",
        "k3y%2Bsecret/x==",
        "k3y+secret%2fx==",
        "%6b3y%2Bsecret/x=%3D",
        quote(quote(SECRET, safe=""), safe=""),
        quote(quote(quote(SECRET, safe=""), safe=""), safe=""),
        "k3y&#43;secret&#x2F;x==",
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        f"0x{SECRET.encode().hex()}",
    ],
)
def test_a_secret_in_other_clothes_is_hidden(said: str) -> None:
    shown = redacted(f"the server says {said} is wrong", {SECRET})
    hidden = shown.removeprefix("the server says ").removesuffix(" is wrong")
    assert HIDDEN in hidden
    assert not [n for n in range(len(said) - 8) if said[n : n + 8] in hidden]


@pytest.mark.parametrize("secret", ["soundcharts", "abc", "12/4x"])
def test_what_is_public_or_short_is_not_looked_for_in_other_clothes(secret: str) -> None:
    text = f"{_base64(f'app:{secret}')} {secret.encode().hex()} %6{'3' if secret == 'abc' else '1'} a&amp;b \\u0061"
    assert redacted(text, {secret}) == text


def test_texts_without_a_secret_stay_as_they_are() -> None:
    text = r'{"url": "https:\/\/example.test\/a%20b%252Bc?x=1&amp;y=2", "id": "7d534228-5165-11e9-9375-549f35161576=="}'
    assert redacted(text, {SECRET, "the-app-id"}) == text
