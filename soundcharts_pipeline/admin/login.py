"""Signing in to the pages: the token once, then a cookie that holds none of it.

The cookie is an expiry, a random text and their HMAC under the token: another token signs everybody out, and the
server remembers nobody. Forms carry a second HMAC of the same session, which no other site can know.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from soundcharts_pipeline.admin.answers import Refused
from soundcharts_pipeline.admin.api import PREFIX
from soundcharts_pipeline.admin.auth import Guard
from soundcharts_pipeline.admin.rate_limit import RateLimit
from soundcharts_pipeline.sync.context import utc_now

COOKIE = "soundcharts_session"
CSRF_FIELD = "csrf"
SESSION_HOURS = 12
ATTEMPTS_PER_MINUTE = 10
HOME = f"{PREFIX}/"
# A page of ours with a query of plain words. No escapes, so that nothing is hidden in it, and no step upwards.
_OWN_PAGE = re.compile(rf"(?!.*(?:\.\.|//)){PREFIX}/[\w/.-]*(?:\?[\w=&+.:-]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has shown the token. `csrf` goes into every form."""

    csrf: str


class SignInNeeded(Exception):
    """A page was asked for by somebody who is not signed in."""

    def __init__(self, page: str) -> None:
        super().__init__(page)
        self.page = page

    def answer(self) -> Response:
        """To the form, and from there back to the page."""
        return RedirectResponse(f"{PREFIX}/login/?{urlencode({'next': self.page})}", 303)


class Login:
    """Sessions of the one token."""

    def __init__(self, guard: Guard, clock: Callable[[], datetime] = utc_now) -> None:
        self._guard, self._clock = guard, clock
        self._attempts = RateLimit(
            ATTEMPTS_PER_MINUTE, "attempts to sign in were made", "the token is the value of SOUNDCHARTS_ADMIN_TOKEN"
        )

    def session(self, request: Request) -> Session | None:
        """Whose cookie this is; None when it is nobody's, forged, of another token or too old."""
        found = request.cookies.get(COOKIE, "")
        expires, _, rest = found.partition(".")
        nonce, _, mac = rest.partition(".")
        if not secrets.compare_digest(mac.encode(), self._mac("session", expires, nonce).encode()):
            return None
        if int(expires) <= self._clock().timestamp():
            return None
        session = Session(csrf=self._mac("csrf", expires, nonce))
        request.state.session = session
        return session

    def require(self, request: Request) -> Session:
        """The session, or SignInNeeded; a token in the address is refused in any case."""
        self._guard.require_clean_address(request)
        session = self.session(request)
        if session is None:
            query = f"?{request.url.query}" if request.url.query else ""
            raise SignInNeeded(own_page(request.url.path + query) if request.method == "GET" else HOME)
        return session

    async def require_form(self, request: Request) -> dict[str, str]:
        """The fields of a form that one of our own pages sent, of a session."""
        session = self.require(request)
        refuse_other_sites(request)
        form = await form_of(request)
        if not secrets.compare_digest(form.get(CSRF_FIELD, "").encode(), session.csrf.encode()):
            raise Refused(403, "the form is not of this session", "load the page again and repeat it")
        return form

    def sign_in(self, request: Request, form: dict[str, str]) -> Response | None:
        """With the right token to the page that was wanted, with the cookie; None when the token is wrong."""
        self._attempts.count(request.client.host if request.client else "")
        if not self._guard.accepts(form.get("token", "").strip()):
            return None
        expires = str(int((self._clock() + timedelta(hours=SESSION_HOURS)).timestamp()))
        nonce = secrets.token_urlsafe(16)
        answer = RedirectResponse(own_page(form.get("next", "")), 303)
        answer.set_cookie(
            COOKIE,
            f"{expires}.{nonce}.{self._mac('session', expires, nonce)}",
            max_age=SESSION_HOURS * 3600,
            path=PREFIX,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    def sign_out(self) -> Response:
        answer = RedirectResponse(f"{PREFIX}/login/", 303)
        answer.delete_cookie(COOKIE, path=PREFIX, httponly=True, samesite="strict")
        return answer

    def _mac(self, label: str, expires: str, nonce: str) -> str:
        # Without a token nobody is signed in: the key is one that nobody else has either.
        key = self._guard.token or secrets.token_hex()
        return hmac.new(key.encode(), f"{label}:{expires}:{nonce}".encode(), hashlib.sha256).hexdigest()


def own_page(address: str) -> str:
    """The address when it is one of our pages, else the dashboard."""
    return address if _OWN_PAGE.fullmatch(address) else HOME


def refuse_other_sites(request: Request) -> None:
    """What a browser says of where a form comes from; programs say nothing."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is not None:
        site = "same-origin" if urlsplit(origin).netloc == request.headers.get("host") else "cross-site"
    if site not in (None, "same-origin", "none"):
        raise Refused(
            403,
            "the form was sent by another site",
            "use the pages themselves; behind a proxy, have it pass on the header Host as it is",
        )


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, the last value of each."""
    body = (await request.body()).decode(errors="replace")
    return {name: values[-1] for name, values in parse_qs(body).items()}
