"""Whom the headers of reverse proxies are believed from, and what they say."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from soundcharts_pipeline.admin.access.proxies import Proxied
from soundcharts_pipeline.admin.access.rate_limit import client_of
from soundcharts_pipeline.admin.access.root_path import PREFIX, Rooted
from soundcharts_pipeline.admin.internal_api.trigger import status_url
from soundcharts_pipeline_tests.support.helpers import SLUG

TOLD = {
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "music.example",
    "X-Forwarded-Prefix": "/music",
}
Seen = tuple[str, str, str, str]


def seen(app: Proxied, peer: str | None, headers: Mapping[str, str]) -> None:
    raw = [(b"host", b"127.0.0.1:3001"), *((name.lower().encode(), value.encode()) for name, value in headers.items())]
    client = None if peer is None else (peer, 1)
    scope = {"type": "http", "method": "GET", "path": f"{PREFIX}/", "scheme": "http", "client": client, "headers": raw}

    async def nothing(*_: object) -> Any:
        return None

    asyncio.run(app({**scope, "query_string": b""}, nothing, nothing))


def told_to(trusted: list[str], peer: str | None, headers: Mapping[str, str] = TOLD) -> Seen:
    """Client, scheme, host and the address of a task, as the app sees them."""
    found: list[Seen] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        request = Request(scope)
        found.append((client_of(request), request.url.scheme, request.headers["host"], status_url(SLUG)))

    seen(Proxied(Rooted(app), trusted), peer, headers)
    return found[0]


def plain(peer: str) -> Seen:
    return peer, "http", "127.0.0.1:3001", f"{PREFIX}/chart/{SLUG}/status/"


BELIEVED: Seen = ("198.51.100.7", "https", "music.example", f"/music{PREFIX}/chart/{SLUG}/status/")


@pytest.mark.parametrize(
    ("trusted", "peer", "what"),
    [
        ([], "127.0.0.1", plain("127.0.0.1")),
        ([], None, plain("")),
        (["127.0.0.1/32"], "127.0.0.1", BELIEVED),
        (["10.0.0.0/24", "::1/128"], "10.0.0.9", BELIEVED),
        (["10.0.0.0/24", "::1/128"], "::1", BELIEVED),
        (["10.0.0.0/24"], "127.0.0.1", plain("127.0.0.1")),
        (["10.0.0.0/24"], "10.0.1.9", plain("10.0.1.9")),
        (["127.0.0.1/32"], "testclient", plain("testclient")),
    ],
)
def test_proxies_that_are_named_are_believed_and_nobody_else(trusted: list[str], peer: str | None, what: Seen) -> None:
    assert told_to(trusted, peer) == what


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        # What the client itself wrote stands left of what our proxies saw.
        ("203.0.113.1, 198.51.100.7", "198.51.100.7"),
        ("203.0.113.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("unknown", "unknown"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy_of_ours(sent: str, client: str) -> None:
    assert told_to(["10.0.0.0/24"], "10.0.0.1", {"X-Forwarded-For": sent})[0] == client


def test_a_proxy_that_nobody_named_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def app(*_: object) -> None:
        pass

    proxied = Proxied(app, ["10.0.0.1/32"])
    with caplog.at_level(logging.WARNING):
        seen(proxied, "10.0.0.1", TOLD)
        seen(proxied, "127.0.0.1", {})
        assert caplog.messages == []
        for _ in range(3):
            seen(proxied, "127.0.0.1", TOLD)
    [said] = caplog.messages
    assert "set SOUNDCHARTS_TRUSTED_PROXIES=127.0.0.1 and start again" in said
