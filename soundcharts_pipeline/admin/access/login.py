"""Signing in to the pages: the token once, then a cookie that holds none of it.

The cookie is the time of signing in, signed with the token: what one may do goes with the token that signed it, another
token signs everybody out, and the server remembers nobody. A form is taken from our own pages alone: browsers send the
cookie to no other site's request, and say of each form which site it comes from.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlencode, urlsplit

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from soundcharts_pipeline.admin.access.auth import Guard, Role, refuse_reader
from soundcharts_pipeline.admin.access.rate_limit import RateLimit, client_of
from soundcharts_pipeline.admin.access.root_path import PREFIX, home, root
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.clock import utc_now

COOKIE = "soundcharts_session"
SESSION_HOURS = 12
ATTEMPTS_PER_MINUTE = 10
HOME = f"{PREFIX}/"
# A page of ours with a query of plain words. No escapes, so that nothing is hidden in it, and no step upwards.
_OWN_PAGE = re.compile(rf"(?!.*(?:\.\.|//)){PREFIX}/[\w/.-]*(?:\?[\w=&+.:-]*)?")
# What was lost with a form that came after the session had ended, by its word in the address of the sign-in page.
LOST = {"saved": "nothing was saved", "started": "nothing was started"}


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has shown a token."""

    role: Role

    @property
    def may_change(self) -> bool:
        """Whether there is anything to press."""
        return self.role == "admin"


class SignInNeeded(Exception):
    """A page was asked for by somebody who is not signed in, or a form was sent, and something `lost` with it."""

    def __init__(self, page: str, lost: str = "") -> None:
        super().__init__(page)
        self.page, self.lost = page, lost

    def answer(self) -> Response:
        """To the sign-in page, which says what was lost, and from there back to the page."""
        said = {"next": self.page} | ({"lost": self.lost} if self.lost else {})
        return RedirectResponse(f"{home()}/login/?{urlencode(said)}", 303)


class Login:
    """Sessions of the tokens."""

    def __init__(self, guard: Guard, clock: Callable[[], datetime] = utc_now) -> None:
        self._guard, self._clock = guard, clock
        self._attempts = RateLimit(
            ATTEMPTS_PER_MINUTE,
            what="attempts to sign in were made",
            advice="the token is the value of SOUNDCHARTS_ADMIN_TOKEN",
        )

    def session(self, request: Request) -> Session | None:
        """Whose cookie this is; None when it is nobody's, forged, of another token or too old."""
        cookie = request.cookies.get(COOKIE, "")
        for role, token in self._guard.tokens:
            try:
                _Signer(token, self._clock).unsign(cookie, max_age=SESSION_HOURS * 3600)
            except BadSignature:
                continue
            session = Session(role)
            request.state.session = session
            return session
        return None

    def require(self, request: Request) -> Session:
        """The session. Raises SignInNeeded when there is none, HttpRefusal for a token in the address in any case."""
        self._guard.require_clean_address(request)
        session = self.session(request)
        if session is None:
            raise SignInNeeded(own_page(address_of(request)))
        return session

    async def require_form(
        self, request: Request, *, page: str = HOME, lost: str = "", change: bool = True
    ) -> dict[str, str]:
        """The fields of a form that one of our own pages sent, of a session that may change things; with `change` false
        of any. Raises SignInNeeded without a session, which tells what was `lost` (of LOST) and leads back to `page`,
        and HttpRefusal."""
        try:
            session = self.require(request)
        except SignInNeeded:
            raise SignInNeeded(own_page(page), lost) from None
        refuse_other_sites(request)
        if change:
            refuse_reader(session.role)
        return await form_of(request)

    def sign_in(self, request: Request, form: Mapping[str, str]) -> Response | None:
        """With the right token to the page that was wanted, with the cookie; None when the token is wrong. Raises
        HttpRefusal after too many attempts."""
        self._attempts.count(client_of(request))
        token = form.get("token", "").strip()
        if self._guard.role_of(token) is None:
            return None
        answer = RedirectResponse(root() + own_page(form.get("next", "")), 303)
        answer.set_cookie(
            COOKIE,
            _Signer(token, self._clock).sign(b"session").decode(),
            max_age=SESSION_HOURS * 3600,
            path=home(),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    def sign_out(self) -> Response:
        answer = RedirectResponse(f"{home()}/login/", 303)
        answer.delete_cookie(COOKIE, path=home(), httponly=True, samesite="strict")
        return answer


class _Signer(TimestampSigner):
    """Signs with a token, at the time of our clock."""

    def __init__(self, token: str, clock: Callable[[], datetime]) -> None:
        super().__init__(token, salt="soundcharts session", digest_method=hashlib.sha256, key_derivation="hmac")
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock().timestamp())


def address_of(request: Request) -> str:
    """The page that is asked for, with its query, without the root path."""
    path: str = request.scope["path"].removeprefix(root())
    return f"{path}?{request.url.query}" if request.url.query else path


def own_page(address: str) -> str:
    """The address when it is one of our pages, else the dashboard; both without the root path."""
    return address if _OWN_PAGE.fullmatch(address) else HOME


def refuse_other_sites(request: Request) -> None:
    """Raise HttpRefusal unless the browser says that one of our own pages sent the form: in Sec-Fetch-Site, which it
    sends over TLS and on this machine, else in Origin. What says nothing is no browser of today."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    if site is None and origin:
        site = "same-origin" if urlsplit(origin).netloc == request.headers.get("host") else "cross-site"
    if site is None:
        raise HttpRefusal(
            403,
            "the form does not say which site it comes from",
            "use the pages in a browser of today; programs use the internal API, with the token in a header",
        )
    if site not in ("same-origin", "none"):
        raise HttpRefusal(
            403,
            "the form was sent by another site",
            "use the pages themselves; behind a proxy, have it pass on the header Host as it is",
        )


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, the last value of each."""
    body = (await request.body()).decode(errors="replace")
    return {name: values[-1] for name, values in parse_qs(body).items()}
