"""A transport over real HTTP that waits for nothing, and a tiny server for answers that the simulator never gives."""

import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from soundcharts_pipeline.api.auth import Auth, ClientCredentials, HeaderPair
from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.api.session import new_session
from soundcharts_pipeline.api.throttle import SlidingWindow, Throttle
from soundcharts_pipeline.api.transport import RetryPolicy, Transport

from .fake_time import FakeTime

APP = ("sesame-app-id", "sesame-api-key")
CLIENT = ("sesame-client-id", "sesame-client-secret")
SECRET = "sesame"
BAD_GUY = "7d534228-5165-11e9-9375-549f35161576"
BILLIE = "11e81bcc-9c1c-ce38-b96b-a0369fe50396"
TRACK = f"/api/v2.25/song/{BAD_GUY}"
USAGE = "/api/v2/team/usage"


@dataclass
class Caller:
    """A transport with what it waited for: `between` its tries, and in the throttle (`time`)."""

    transport: Transport
    throttle: Throttle
    auth: Auth
    time: FakeTime
    between: list[float]

    @property
    def client(self) -> SoundchartsClient:
        return SoundchartsClient(self.transport)


def caller_of(
    url: str,
    *,
    auth: Auth | None = None,
    oauth_url: str | None = None,
    time: FakeTime | None = None,
    per_minute: int = 10_000,
    throttle: Throttle | None = None,
    answer_seconds: float = 300.0,
    clock: Callable[[], float] = monotonic,
    **more: Any,
) -> Caller:
    """A transport to `url`, with the header pair unless other credentials are asked for; `clock` measures answers."""
    time, between = time or FakeTime(), list[float]()
    session = new_session(32, url, {}, answer_seconds=answer_seconds, monotonic=clock)
    if oauth_url is not None:
        auth = ClientCredentials(oauth_url, *CLIENT, session=session, monotonic=time.monotonic)
    auth = auth or HeaderPair(*APP)
    throttle = throttle or SlidingWindow(per_minute, monotonic=time.monotonic, sleep=time.sleep)
    transport = Transport(
        base_url=url,
        auth=auth,
        session=session,
        throttle=throttle,
        sleep=between.append,
        **{"retry": RetryPolicy(), **more},
    )
    return Caller(transport, throttle, auth, time, between)


def track(caller: Caller) -> dict[str, Any]:
    """One question, the same in every test of the transport."""
    return caller.transport.get("track", TRACK, {})


def outcome(caller: Caller) -> SoundchartsError | None:
    """The error of that question, which shows no secret in its texts, its traceback or the objects around it."""
    try:
        track(caller)
    except SoundchartsError as error:
        texts = [str(error), repr(error), repr(error.__dict__), *traceback.format_exception(error)]
        assert not any(SECRET in text for text in [*texts, repr((caller, caller.transport, caller.auth))])
        return error
    return None


def error_of(caller: Caller, kind: type[SoundchartsError]) -> SoundchartsError:
    """The error of that question, which must be of this kind."""
    error = outcome(caller)
    assert type(error) is kind, error
    return error


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Asked:
    """One request as it arrived: `target` is path and query as they were sent."""

    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, strict_parsing=True))


@dataclass(frozen=True)
class Says:
    """One answer."""

    status: int = 200
    body: bytes = b'{"items": [], "page": {"total": 0}, "errors": []}'
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, body: Any, status: int = 200, **headers: str) -> "Says":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(body).encode(), {"content-type": "application/json", **named})


@dataclass
class Stub:
    """A server of a few lines, and what it was asked."""

    url: str
    asked: list[Asked]


@contextmanager
def answering(answer: Callable[[Asked], Says]) -> Iterator[Stub]:
    """Serve `answer` on the loopback address while the block lasts."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: the body would wait for the head's receipt, up to 40 ms.
        wbufsize = -1

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append(Asked(self.path, headers, body))
            says = answer(asked[-1])
            self.send_response(says.status)
            for name, value in {**says.headers, "content-length": str(len(says.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(says.body)

        # The names are http.server's.
        do_POST = do_GET  # noqa: N815
        do_CONNECT = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Stub(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
