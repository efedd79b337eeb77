"""How one kind of question fared when all that a run asked of it fared alike: refused, or answered with nothing.

A refusal is about an entity where others are answered; where nobody is, it is about the server, the plan or the
settings, and is kept here instead of on every entity.
"""

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.tables.bookkeeping import endpoint_states

FIRST_PAUSE = timedelta(hours=1)
LONGEST_PAUSE = timedelta(days=7)
# These refusals are of the plan (403) or of the settings (400, a platform that the endpoint does not know). A server
# that answers 404 to everything is more likely to be broken, until it has done so for long.
LASTING_STATUSES = frozenset({400, 403})
# So many runs over so long that met nothing else are no bad moment.
SEEMING_STATUSES = frozenset({404, 410})
LASTING_RUNS = 4
LASTING_TIME = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """One row of `endpoint_states`."""

    scope: str
    answered_at: datetime | None = None
    refused_since: datetime | None = None
    refused_at: datetime | None = None
    refused_runs: int = 0
    status: int | None = None
    message: str | None = None
    uuid: str | None = None
    silent_since: datetime | None = None
    silent_runs: int = 0

    @property
    def refuses(self) -> bool:
        """The last run that asked met nothing but refusals."""
        return self.refused_since is not None

    @property
    def is_left_out(self) -> bool:
        """Its refusals last: runs go on without it, and ask it rarely."""
        if self.refused_since is None or self.refused_at is None:
            return False
        for_long = self.refused_runs >= LASTING_RUNS and self.refused_at - self.refused_since >= LASTING_TIME
        return self.status in LASTING_STATUSES or (self.status in SEEMING_STATUSES and for_long)

    @property
    def ask_again_at(self) -> datetime | None:
        """When a run that nobody started by hand asks again: an hour after the first refusal, four times as long
        after each further one, a week at most."""
        if self.refused_at is None:
            return None
        pause = FIRST_PAUSE * (1 << 2 * min(self.refused_runs - 1, 6))
        return self.refused_at + min(pause, LONGEST_PAUSE)

    def is_silent(self, now: datetime) -> bool:
        """Run after run over more than a day it had nothing for anybody: so it is."""
        since = self.silent_since
        return since is not None and self.silent_runs >= LASTING_RUNS - 1 and now - since >= LASTING_TIME

    def reason(self) -> str:
        """Why it is left out, for people."""
        return (
            f"everything asked of {self.scope} was refused since {self.refused_since:%Y-%m-%d %H:%M} UTC "
            f"({self.message}); schedules ask again after {self.ask_again_at:%Y-%m-%d %H:%M} UTC, a sync by hand now"
        )


COLUMNS = [field.name for field in fields(EndpointState)]
ROWS = select(*(endpoint_states.c[name] for name in COLUMNS))


def endpoint_state(conn: Connection, scope: str) -> EndpointState:
    """What is known of one kind of question; nothing at first."""
    row = conn.execute(ROWS.where(endpoint_states.c.scope == scope)).first()
    return EndpointState(scope=scope) if row is None else EndpointState(**row._mapping)


def refusing_endpoints(conn: Connection) -> list[EndpointState]:
    """Those that refused everything when they were asked last."""
    query = ROWS.where(endpoint_states.c.refused_since.is_not(None)).order_by(endpoint_states.c.scope)
    return [EndpointState(**row._mapping) for row in conn.execute(query)]


def save_endpoint_states(conn: Connection, states: Iterable[EndpointState]) -> None:
    """One row each."""
    merge(conn, endpoint_states, [astuple(state) for state in states], columns=COLUMNS)


def forget_endpoint_states(conn: Connection, scopes: Collection[str]) -> None:
    """Nothing is known of these any more."""
    conn.execute(endpoint_states.delete().where(endpoint_states.c.scope.in_(scopes)))
