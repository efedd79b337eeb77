"""What can go wrong with a call, named by what the caller should do.

SoundchartsError
├── TransientError            a later try may succeed; the transport has already tried a few times
│   ├── NetworkError          no answer of the host came: unreachable, reset, time-out, redirected, a proxy's refusal
│   ├── ServerError           5xx, 408, 421, 425, or a body that is not what was announced
│   └── RateLimited           429 of the minute: waiting helps
├── QuotaExhausted            429 of the billing term, or the reserve is reached: waiting does not help
│   └── BudgetSpent           the calls that this run may make are made: the next run has its own
├── ListFull                  429 of a list that takes no more (favourites): nothing else is the worse for it
├── AuthenticationError       credentials missing or refused
├── NotInPlan                 403: this endpoint or object is not in the plan; the credentials are fine
├── NotFound                  404 or 410: the API has no such thing
│   └── NoAccount             404: the entity is there, and has no account on this platform
├── BadRequest                400, 413, 414, 422: the question itself is wrong
│   └── WrongPlatform         the endpoint does not know this platform: charts.yaml is wrong, not the entity
├── EndpointRefuses           the same refusal to everything that a run asked: no entity's fault
├── IncompleteAnswer          fewer distinct rows than the API announced, or pages that contradict each other
└── UnexpectedPayload         a required field is missing or has another shape
    └── UnreadableRecord      of one record alone: the others of its answer are fine
"""

from typing import Any

from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.wording import clean


class SoundchartsError(PipelineError):
    """A call that did not give what it should. `str()` says what failed, where, and what to do next."""

    def __init__(self, message: str, *, endpoint: str = "", status: int | None = None) -> None:
        # Servers' words come in here, and errors are stored.
        super().__init__(clean(message))
        self.endpoint = endpoint
        self.status = status


class TransientError(SoundchartsError):
    """A later try may succeed. `wait` is what the server asked for, in seconds, if it did."""

    wait: float | None = None


class NetworkError(TransientError):
    """No answer of the host came."""


class ServerError(TransientError):
    """The server answered that it could not, or with a body that is broken."""


class RateLimited(TransientError):
    """Too many calls in this minute for the whole account."""


class QuotaExhausted(SoundchartsError):
    """No billed calls are left in this billing term, or fewer than the reserve to keep."""


class BudgetSpent(QuotaExhausted):
    """The run has made all the billed calls it may make."""


class ListFull(SoundchartsError):
    """A list of the account, such as its favourites, takes no more; other calls are not affected."""


class AuthenticationError(SoundchartsError):
    """Credentials are missing or refused: no call will succeed."""


class NotInPlan(SoundchartsError):
    """The plan does not include this endpoint or object."""


class NotFound(SoundchartsError):
    """The API has no such chart, track, artist or account."""


class NoAccount(NotFound):
    """The entity has no account on the platform."""


class BadRequest(SoundchartsError):
    """The API refuses the question itself."""


class WrongPlatform(BadRequest):
    """The endpoint has no such platform, for nobody."""


class EndpointRefuses(SoundchartsError):
    """Everything that a run asked of an endpoint was refused; nothing of it was kept."""


class IncompleteAnswer(SoundchartsError):
    """The API gave fewer distinct rows than it announced; nothing of it is used. `status` is that of a later page which
    was refused."""


class UnexpectedPayload(SoundchartsError):
    """The API's answer lacks a required field; nothing of it is used."""


class UnreadableRecord(UnexpectedPayload):
    """One record lacks what it needs to be kept: `field` is that, `found` the value that came. It is left out, with a
    remark, and the rest of its answer is used."""

    def __init__(self, message: str, *, endpoint: str, field: str, found: Any) -> None:
        super().__init__(message, endpoint=endpoint)
        self.field = field
        self.found = found
