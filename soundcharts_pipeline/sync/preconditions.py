"""What a sync needs before it asks anything: a database of one source, for made-up data of the simulator and real data
never mix, and what its days are made from."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial

from sqlalchemy import Connection

from soundcharts_pipeline.api.pages import WINDOW_DAYS
from soundcharts_pipeline.config.cascade import AUDIENCE_TRENDS, exclusion
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import ONE_DAY, ChartDays
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.queries import quality, worklists
from soundcharts_pipeline.storage.queries.summaries import archived_too_soon
from soundcharts_pipeline.storage.rights import check_encoding
from soundcharts_pipeline.storage.saves import note_fact
from soundcharts_pipeline.storage.tables import months
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.wording import month_of, program

SOURCE_FACT = "source"
# Of days that are scattered so much, the first and the last say enough.
MOST_STRETCHES = 12


class SourceMismatch(StorageError):
    """The database was filled from somewhere else."""


@contextmanager
def inside_source(ctx: SyncContext, source: str) -> Iterator[None]:
    """Ask the API within the block: at its end the source is remembered, if it has answered, and calls are counted,
    those too that ended in an error before anything was saved.

    `source` is the API's host, or `local` for anything on this machine (a simulator's port changes). Raises
    SourceMismatch before the block when the warehouse was filled from elsewhere.
    """
    ctx.warehouse.again(partial(check_filled_from, ctx.warehouse, source))
    with ctx.warehouse.afterwards(partial(ctx.save, partial(_note_answers, ctx, source))):
        yield


def _note_answers(ctx: SyncContext, source: str, conn: Connection) -> None:
    if ctx.client.usage.answered and worklists.fact(conn, SOURCE_FACT) is None:
        note_fact(conn, SOURCE_FACT, source, ctx.clock())
    ctx.keep_usage(conn)


def check_filled_from(warehouse: Warehouse, source: str) -> None:
    """Raise SourceMismatch when the warehouse was filled from elsewhere than `source`, StorageUnavailable where it
    cannot hold what comes from there. Makes no call."""
    with warehouse.read() as conn:
        check_encoding(conn)
        known = worklists.fact(conn, SOURCE_FACT)
    if known is not None and known != source:
        raise SourceMismatch(
            f"this database holds data of {known!r} and SOUNDCHARTS_BASE_URL points to {source!r}: set "
            "SOUNDCHARTS_DATA_DIR or SOUNDCHARTS_DATABASE_URL to a new place (or remove the data directory, if it "
            "holds only the demo's made-up data)"
        )


class UpstreamMissing(PipelineError):
    """Days without what the step works on; `days` are all of them, oldest first."""

    def __init__(self, message: str, days: Sequence[date]) -> None:
        super().__init__(message)
        self.days = days


class ArchivedTooSoon(UpstreamMissing):
    """Days in the archive of which not all had been fetched."""


def lacking(ctx: SyncContext, chart: ChartSettings, span: ChartDays, *, metadata: bool) -> list[UpstreamMissing]:
    """Why days of the span cannot be worked on, each reason with its days; all others can be. Without this a step would
    find nothing to ask for on those days, and look complete. With `metadata`, days with tracks whose artists cannot be
    known yet are among them. Makes no call."""
    with ctx.warehouse.read() as conn:
        reasons = [
            _archived(conn, chart, span),
            without_ranking(conn, span, purpose="work on"),
            _without_credits(conn, span) if metadata else None,
        ]
    return [reason for reason in reasons if reason is not None]


def without_ranking(
    conn: Connection, span: ChartDays, *, purpose: str, besides: Collection[date] = ()
) -> UpstreamMissing | None:
    """The days, `besides` those, whose ranking is not stored though there may be one. One that certainly has none is
    no such day: it is complete without rows."""
    days = [day for day in worklists.rankings_missing(conn, span) if day not in besides]
    if not days:
        return None
    message = f"{span.slug}: the ranking of {_named(days)} is not stored, so there is nothing to {purpose}"
    return UpstreamMissing(message, days)


def _archived(conn: Connection, chart: ChartSettings, span: ChartDays) -> UpstreamMissing | None:
    """Days whose ranking is in the archive though they were never complete: what they still need is not to be told
    from here, and they would look complete."""
    if exclusion(AUDIENCE_TRENDS, chart):
        return None  # nothing of the chart says when a day is complete
    days = archived_too_soon(conn, span)
    if not days:
        return None
    # Trends are computed from the series of the days before.
    first = days[0] - timedelta(days=max(chart.history_days, WINDOW_DAYS))
    asked = f"--from {month_of(first)} --before {month_of(months.after(days[-1].replace(day=1)))}"
    return ArchivedTooSoon(
        f"{span.slug}: {_named(days)} went to the archive before all of it was fetched. Bring it back with"
        f" `{program()} restore-archive {asked}`, then run it again",
        days,
    )


def _without_credits(conn: Connection, span: ChartDays) -> UpstreamMissing | None:
    unknown = quality.without_artists(conn, span)
    if not unknown:
        return None
    days = [day for day in span.days if quality.without_artists(conn, ChartDays(span.slug, day, day))]
    return UpstreamMissing(
        f"{span.slug}: of {unknown} tracks ranked on {_named(days)} it is not known who is credited: their metadata "
        "was not asked for yet, or without artists",
        days,
    )


def _named(days: Sequence[date]) -> str:
    """Every day, those that follow one another as a range; of very many ranges the first and the last day."""
    stretches: list[list[date]] = []
    for day in days:
        if stretches and day == stretches[-1][-1] + ONE_DAY:
            stretches[-1].append(day)
        else:
            stretches.append([day])
    if len(stretches) > MOST_STRETCHES:
        return f"{len(days)} days from {days[0]} to {days[-1]}"
    return ", ".join(f"{one[0]}" if len(one) == 1 else f"{one[0]} to {one[-1]}" for one in stretches)
