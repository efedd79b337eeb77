"""A Soundcharts whose answers are changed on their way: what the simulator itself would never say."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

# Path, status and body of a true answer, to what is sent instead.
Change = Callable[[str, int, Any], tuple[int, Any]]


@contextmanager
def altered(url: str, change: Change) -> Iterator[str]:
    """The URL of a server in front of `url`, while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(url, change))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(url: str, change: Change) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = ("x-app-id", "x-api-key", "authorization")
            headers = {name: self.headers[name] for name in names if self.headers[name]}
            answer = requests.get(url + self.path, headers=headers, timeout=30)
            status, body = change(self.path, answer.status_code, answer.json())
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 429:
                # At once: a test waits for nobody.
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
