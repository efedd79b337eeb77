"""What answers in a host's stead: redirects, proxies, load balancers and the web pages of gateways. Nothing of it is
billed, and nothing of it says anything of the question."""

from urllib.parse import SplitResult, urljoin, urlsplit

import requests

# "Ask again" in HTTP's own words: a load balancer that waited for too long, another connection, a request too early.
PASSING = frozenset({408, 421, 425})
# These mean the same in whatever words they come.
_NEVER_A_PAGE = frozenset({401, 402, 407, 429})
_PORTS = {"http": 80, "https": 443}
_LONGEST_ADDRESS = 200


def is_passing(status: int) -> bool:
    """Whether it is the server's state of a moment."""
    return status >= 500 or status in PASSING


def is_web_page(response: requests.Response) -> bool:
    """A refusal that is no JSON: the API's own are."""
    status = response.status_code
    is_refusal = 400 <= status < 500 and status not in _NEVER_A_PAGE
    return is_refusal and response.content.lstrip().startswith(b"<")


def is_of_the_host(response: requests.Response) -> bool:
    """Whether the host itself answered the question."""
    status = response.status_code
    is_answer = status < 300 or (400 <= status != 407 and not is_passing(status))
    return is_answer and not is_web_page(response)


def wrong_way(response: requests.Response, *, variable: str, proxy: str) -> str | None:
    """What keeps every call from the host that `variable` names, and what to do about it; `proxy` is the variable that
    names the proxy on the way, if there is one."""
    status = response.status_code
    if status == 407:
        return wants_a_password(proxy)
    if status == 511:
        return "the network wants a login before it lets calls out (511); log in to it on this machine"
    place = redirect_of(response)
    if place is None or _origin(urlsplit(place)) == _origin(urlsplit(response.url)):
        return None
    return (
        f"redirected ({status}) to {place}; {variable} is not the address that answers: check it and the network "
        "(no redirect is followed, the credentials would go with it)"
    )


def wants_a_password(proxy: str) -> str:
    """What a 407 means."""
    if not proxy:
        return "the proxy on the way wants a user and a password (407); name it with them in HTTPS_PROXY"
    return (
        f"the proxy of {proxy} wants a user and a password (407); write them into {proxy}, as in "
        "http://user:password@proxy.example:3128"
    )


def is_tunnel_without_password(error: requests.RequestException) -> bool:
    """The 407 of a proxy that was asked for a connection to an https host."""
    return isinstance(error, requests.exceptions.ProxyError) and "Tunnel connection failed: 407" in str(error)


def redirect_of(response: requests.Response) -> str | None:
    """Where a redirect leads, without what may be secret: user, password, query."""
    location = response.headers.get("location") if 300 <= response.status_code < 400 else None
    if not location:
        return None
    try:
        parts = urlsplit(urljoin(response.url, location))
        _origin(parts)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:_LONGEST_ADDRESS]


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
