"""Somebody at the pages, without a browser: cookies are kept, redirects are not followed, forms are sent as given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Visitor:
    """One browser profile."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str = "/", **options: Any) -> requests.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, form: dict[str, str] | None = None, **options: Any) -> requests.Response:
        """As a form of these pages; a header that is None is left out."""
        headers = {"Origin": self.url} | options.pop("headers", {})
        return self.ask("POST", path, data=form or {}, headers=headers, **options)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        options["headers"] = HTML | options.get("headers", {})
        address = self.url + PREFIX + path
        return self.session.request(method, address, allow_redirects=False, timeout=60, **options)

    def sign_in(self, token: str = TOKEN, page: str = "", **options: Any) -> requests.Response:
        return self.post("/login/", {"token": token, "next": page}, **options)


@contextmanager
def visiting(url: str, *, signed_in: bool = True) -> Iterator[Visitor]:
    """Somebody who has signed in, or has not."""
    visitor = Visitor(url)
    with visitor.session:
        if signed_in:
            assert visitor.sign_in().status_code == 303
        yield visitor
