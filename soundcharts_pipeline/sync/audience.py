"""Audience series of the tracks of a chart, and of their artists, one platform at a time."""

import gc
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NoAccount, SoundchartsError
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import FOLLOWERS, TRACK_METRICS, Series, artist_metrics
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.evidence import Says
from soundcharts_pipeline.sync.fanout import fan_out
from soundcharts_pipeline.sync.radio_plays import Plays
from soundcharts_pipeline.sync.report import SyncReport, still_to_do
from soundcharts_pipeline.sync.scopes import Asked
from soundcharts_pipeline.sync.series_saves import save_answers
from soundcharts_pipeline.sync.series_worklist import (
    AIRPLAY,
    Question,
    SeriesKey,
    audience_worklist,
    controls,
    still_due,
)
from soundcharts_pipeline.sync.worklist import Answer, Worklist


def sync_track_audience(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> SyncReport:
    """One platform's series of every track ranked on the days or at most `follow_days` before.

    Costs one call per track and window of 90 days that is not known yet; radio plays one per track and day. Raises
    SyncIncomplete when some are not answered, after saving the others.
    """
    windows: _AudienceWindows = _TrackWindows(ctx, chart)
    if platform == AIRPLAY:
        plays = Plays(ctx, chart)
        try:
            plays.check_totals(lambda: track_questions(ctx, chart, days, platform))
        except SoundchartsError as error:
            asked = len(track_questions(ctx, chart, days, platform))
            raise still_to_do(windows.noun, error, SyncReport(asked=asked, remaining=asked)) from error
        windows = _RadioPlays(ctx, chart, plays)
    return windows.sync(track_questions(ctx, chart, days, platform))


def sync_artist_audience(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> SyncReport:
    """One platform's series of every artist of those tracks. Costs one call per artist, metric and window. Raises as
    that of tracks."""
    return _ArtistWindows(ctx, chart).sync(artist_questions(ctx, chart, days, platform))


def track_questions(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> list[Question]:
    """What `sync_track_audience` would ask now."""
    return audience_worklist(ctx, SeriesKey("track", platform, TRACK_METRICS[platform]), chart, days)


def artist_questions(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> list[Question]:
    """What `sync_artist_audience` would ask now."""
    keys = [SeriesKey("artist", platform, metric) for metric in artist_metrics(platform)]
    return [question for key in keys for question in audience_worklist(ctx, key, chart, days)]


class _AudienceWindows(Worklist[Question, Series]):
    """Windows of audience series; a subclass says where they are asked for."""

    noun = "audience windows"

    def __init__(self, ctx: SyncContext, chart: ChartSettings) -> None:
        self._ctx, self._chart = ctx, chart
        self.asked = Asked(
            scope_of=lambda q: q.key.whole_scope, uuid_of=lambda q: q.uuid, says=_says, controls=controls
        )

    def sync(self, questions: Sequence[Question]) -> SyncReport:
        with frozen_heap():
            return fan_out(self._ctx, questions, self)

    def save(self, conn: Connection, answers: list[Answer[Question, Series]]) -> int:
        return save_answers(self._ctx, conn, answers)

    def subjects(self, question: Question) -> list[str]:
        return [question.subject]

    def still_due(self, conn: Connection, questions: Sequence[Question]) -> list[Question]:
        return still_due(self._ctx, conn, questions, self._chart)

    def days(self, question: Question) -> Collection[date]:
        return question.days


class _TrackWindows(_AudienceWindows):
    def fetch(self, question: Question) -> Series:
        return self._ctx.client.track_audience(question.uuid, question.key.platform, question.window)


class _ArtistWindows(_AudienceWindows):
    def fetch(self, question: Question) -> Series:
        client = self._ctx.client
        ask = client.artist_followers if question.key.metric == FOLLOWERS else client.artist_streaming
        return ask(question.uuid, question.key.platform, question.window)


class _RadioPlays(_AudienceWindows):
    """Windows of a day."""

    def __init__(self, ctx: SyncContext, chart: ChartSettings, plays: Plays) -> None:
        super().__init__(ctx, chart)
        self._plays = plays

    def fetch(self, question: Question) -> Series:
        return self._plays.fetch(question)


def _says(answer: Series | SoundchartsError) -> tuple[Says, SoundchartsError | None, int]:
    """No plays at all are a count, and no sign that plays are counted."""
    if isinstance(answer, NoAccount):
        return Says.NOTHING, None, 1
    if isinstance(answer, SoundchartsError):
        return Says.REFUSED, answer, 1
    return (Says.SOMETHING if any(point.value for point in answer.points) else Says.NOTHING), None, 1


@contextmanager
def frozen_heap() -> Iterator[None]:
    """What lives now is not looked through again before the end.

    An answer of 90 days is thousands of objects that come and go, so the collector runs all the time, over everything
    that the process has loaded: a sixth of the interpreter's time in a chart-day.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
