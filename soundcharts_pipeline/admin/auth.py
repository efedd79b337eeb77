"""Who may ask: the bearer token of SOUNDCHARTS_ADMIN_TOKEN, compared in constant time. Pages share the check."""

import secrets
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from soundcharts_pipeline.admin.answers import Refused

VARIABLE = "SOUNDCHARTS_ADMIN_TOKEN"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="soundcharts"'}
# Names under which a token might be put into an address, where logs and histories would keep it.
_IN_ADDRESS = ("token", "access_token", "bearer", "authorization", "api_key")


@dataclass(frozen=True, slots=True)
class Guard:
    """Knows the one token. `token` None: nobody is let in, and everybody is told how to set one."""

    token: str | None = field(repr=False)

    def accepts(self, given: str) -> bool:
        """Whether this is the token, in a time that does not tell how much of it is right."""
        return self.token is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def require_token(self) -> None:
        """Refuse everybody while no token is configured."""
        if self.token is None:
            raise Refused(
                401,
                "no admin token is configured, so every call is refused",
                f"set {VARIABLE} to a long random text where `soundcharts-pipeline serve` runs, for example "
                f"export {VARIABLE}=$(openssl rand -hex 32), and start it again",
                headers=_CHALLENGE,
            )

    def require_clean_address(self, request: HTTPConnection) -> None:
        """Refuse a token in the address, whatever else is sent."""
        if any(name.lower() in _IN_ADDRESS for name in request.query_params):
            raise Refused(
                401,
                "a token in the address is refused: addresses end up in logs",
                "send it as the header 'Authorization: Bearer ...' or sign in, and replace the token that was sent",
                headers=_CHALLENGE,
            )

    def require_bearer(self, request: HTTPConnection) -> None:
        """Let the request pass, or raise the refusal."""
        self.require_token()
        self.require_clean_address(request)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.accepts(given.strip()):
            problem = "the token is not the right one" if given else "no token was sent"
            raise Refused(
                401,
                problem,
                f"send the header 'Authorization: Bearer ...' with the value of {VARIABLE}",
                headers=_CHALLENGE,
            )
