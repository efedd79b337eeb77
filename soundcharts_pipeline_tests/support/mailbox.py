"""Services that messages are sent to: a webhook and a mail server on this machine, which keep what arrives."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "a-path-that-nobody-may-read"


@dataclass(slots=True)
class Mailbox:
    """Messages in the order in which they arrived. `status`: what the webhook answers."""

    address: str = ""
    titles: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    status: int = 200

    def take(self) -> list[tuple[str, str]]:
        """Title and body of every message since the last time."""
        messages = list(zip(self.titles, self.bodies, strict=True))
        self.titles.clear()
        self.bodies.clear()
        return messages


@contextmanager
def webhook() -> Iterator[Mailbox]:
    """Takes JSON by HTTP at an address with a secret in it."""
    box = Mailbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if box.status == 200 and SECRET in self.path:
                box.titles.append(sent["title"])
                box.bodies.append(sent["message"])
            self.send_response(box.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        box.address = f"json://127.0.0.1:{port}/{SECRET}"
        yield box


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Takes mail by SMTP, as one text with its headers."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline().decode().strip().upper():
                if line.startswith("DATA"):
                    self._say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                    box.titles.append(next(row for row in text.splitlines() if row.startswith("Subject:")))
                    box.bodies.append(text)
                self._say("221 bye" if line.startswith("QUIT") else "250 yes")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        box.address = f"mailto://127.0.0.1:{port}?from=us@example.org&to=you@example.org&mode=insecure"
        yield box


@contextmanager
def _serving(server: ThreadingHTTPServer | socketserver.ThreadingTCPServer) -> Iterator[int]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
