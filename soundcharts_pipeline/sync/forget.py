"""Forget what was noted as absent, so that it is asked for again; what that costs is counted first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from soundcharts_pipeline.api.client import BATCH_SIZE
from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.models import FOLLOWERS, TRACK_METRICS, Window
from soundcharts_pipeline.storage.absences import (
    Absences,
    count_absences,
    count_absent_days,
    forget_absences,
    forget_absent_days,
)
from soundcharts_pipeline.storage.endpoint_states import EndpointState, forget_endpoint_states
from soundcharts_pipeline.storage.queries.worklists import METADATA
from soundcharts_pipeline.storage.saves import forget_fact
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.radio_plays import TOTALS_FACT
from soundcharts_pipeline.sync.series_worklist import AIRPLAY

RANKINGS = "available_rankings"
BROADCASTS = "track_broadcasts"
# Endpoints by their names in charts.yaml, and what is noted of them.
ENDPOINTS: dict[str, Absences | None] = {
    RANKINGS: None,
    "track": Absences(entity="track", metadata=True),
    "track_audience": Absences(entity="track", metadata=False, not_metric=TRACK_METRICS[AIRPLAY]),
    BROADCASTS: Absences(entity="track", metadata=False, metric=TRACK_METRICS[AIRPLAY]),
    "artist": Absences(entity="artist", metadata=True),
    "artist_streaming": Absences(entity="artist", metadata=False, not_metric=FOLLOWERS),
    "artist_followers": Absences(entity="artist", metadata=False, metric=FOLLOWERS),
}


@dataclass(frozen=True, slots=True)
class Forgettable:
    """What is noted as absent of one endpoint: so many entities, series or days, and calls to ask for them again."""

    endpoint: str
    noted: int
    calls: int


def price(warehouse: Warehouse, endpoints: Sequence[str], platform: str | None, slug: str | None) -> list[Forgettable]:
    """What could be forgotten of each endpoint. Makes no call."""
    found = []
    with warehouse.read() as conn:
        for endpoint in endpoints:
            absences = _absences(endpoint, platform, slug)
            noted = count_absent_days(conn, slug) if absences is None else count_absences(conn, absences)
            batch = BATCH_SIZE if absences is not None and absences.metadata else 1
            found.append(Forgettable(endpoint, noted, math.ceil(noted / batch)))
    return found


def forget(warehouse: Warehouse, endpoints: Sequence[str], platform: str | None, slug: str | None) -> None:
    """Forget it; runs that need it ask again."""
    with warehouse.write() as conn:
        for endpoint in endpoints:
            absences = _absences(endpoint, platform, slug)
            if absences is None:
                forget_absent_days(conn, slug)
            else:
                forget_absences(conn, absences)
            if endpoint == BROADCASTS:
                forget_fact(conn, TOTALS_FACT)


def _absences(endpoint: str, platform: str | None, slug: str | None) -> Absences | None:
    absences = ENDPOINTS[endpoint]
    return None if absences is None else replace(absences, platform=platform, slug=slug)


def ask_once(ctx: SyncContext, state: EndpointState) -> None:
    """One billed call about the entity that was refused last; an answer lifts the note that everything is refused.
    Raises the client's errors."""
    entity, _, rest = state.scope.partition("/")
    uuid = state.uuid or ""
    if rest == METADATA:
        fetch = ctx.client.tracks if entity == "track" else ctx.client.artists
        answer = fetch([uuid])[uuid]
        if isinstance(answer, SoundchartsError):
            raise answer
    else:
        platform, _, metric = rest.partition("/")
        yesterday = ctx.clock().date() - timedelta(days=1)
        window = Window(yesterday, yesterday)
        if entity == "track" and platform == AIRPLAY:
            ctx.client.spins(uuid, yesterday)
        elif entity == "track":
            ctx.client.track_audience(uuid, platform, window)
        elif metric == FOLLOWERS:
            ctx.client.artist_followers(uuid, platform, window)
        else:
            ctx.client.artist_streaming(uuid, platform, window)
    with ctx.warehouse.write() as conn:
        forget_endpoint_states(conn, [state.scope])
