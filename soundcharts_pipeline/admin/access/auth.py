"""Who may ask: bearer tokens, compared in constant time. Pages share the check.

SOUNDCHARTS_ADMIN_TOKEN may do everything; SOUNDCHARTS_READ_TOKEN, for monitors and guests, looks and changes nothing.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import HTTPConnection

from soundcharts_pipeline.admin.access.rate_limit import RateLimit, client_of
from soundcharts_pipeline.admin.access.tokens import ADMIN_VARIABLE, HOW_TO_MAKE, READ_VARIABLE
from soundcharts_pipeline.admin.refusals import HttpRefusal

Role = Literal["admin", "reader"]

WRONG_TOKENS_PER_MINUTE = 20
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="soundcharts"'}
# Names under which a token might be put into an address, where logs and histories would keep it.
_IN_ADDRESS = ("token", "access_token", "bearer", "authorization", "api_key")


def _wrong_tokens() -> RateLimit:
    return RateLimit(
        WRONG_TOKENS_PER_MINUTE,
        what="wrong tokens were sent",
        advice=f"the right one, the value of {ADMIN_VARIABLE}, is let in",
    )


@dataclass(frozen=True, slots=True)
class Guard:
    """Knows the tokens. Both None: nobody is let in, and everybody is told how to set one."""

    token: str | None = field(repr=False)
    read_token: str | None = field(default=None, repr=False)
    _wrong: RateLimit = field(default_factory=_wrong_tokens, repr=False, compare=False)

    @property
    def tokens(self) -> Sequence[tuple[Role, str]]:
        """Those that are set, with what they make of whoever sends them."""
        both: Sequence[tuple[Role, str | None]] = (("reader", self.read_token), ("admin", self.token))
        return [(role, token) for role, token in both if token is not None]

    def role_of(self, given: str) -> Role | None:
        """What the token makes of its sender, in a time that does not tell how much of it is right."""
        sent, found = given.encode(), None
        for role, token in self.tokens:
            found = role if secrets.compare_digest(sent, token.encode()) else found
        return found

    def require_token(self) -> None:
        """Refuse everybody while no token is configured. Raises HttpRefusal."""
        if not self.tokens:
            raise HttpRefusal(
                401,
                "no admin token is configured, so every call is refused",
                f"set {ADMIN_VARIABLE} where `soundcharts-pipeline serve` runs to what {HOW_TO_MAKE} prints, and start "
                "it again",
                headers=_CHALLENGE,
            )

    def require_clean_address(self, request: HTTPConnection) -> None:
        """Refuse a token in the address, whatever else is sent. Raises HttpRefusal."""
        if any(name.lower() in _IN_ADDRESS for name in request.query_params):
            raise HttpRefusal(
                401,
                "a token in the address is refused: addresses end up in logs",
                "send it as the header 'Authorization: Bearer ...' or sign in, and replace the token that was sent",
                headers=_CHALLENGE,
            )

    def require_bearer(self, request: HTTPConnection, *, change: bool = False) -> None:
        """Let the request pass, or raise the refusal. `change`: it is more than looking. Wrong tokens are limited by
        address; a right one is let in whoever else of its address guesses."""
        self.require_token()
        self.require_clean_address(request)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        role = self.role_of(given.strip()) if scheme.lower() == "bearer" else None
        if role is None:
            if given:
                self._wrong.count(client_of(request))
            problem = "the token is not the right one" if given else "no token was sent"
            raise HttpRefusal(
                401,
                problem,
                f"send the header 'Authorization: Bearer ...' with the value of {ADMIN_VARIABLE}",
                headers=_CHALLENGE,
            )
        if change:
            refuse_reader(role)


def refuse_reader(role: Role) -> None:
    """Raise the refusal of whoever may only look."""
    if role == "reader":
        raise HttpRefusal(
            403,
            f"the token of {READ_VARIABLE} looks and changes nothing",
            f"send or sign in with the value of {ADMIN_VARIABLE}",
        )
