"""Audience series of the tracks of a chart, and of their artists, one platform at a time."""

from collections.abc import Callable, Sequence
from datetime import date

from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.models import FOLLOWERS, TRACK_METRICS, Series, artist_metrics
from soundcharts_pipeline.settings import ChartSettings
from soundcharts_pipeline.sync.answers import save_answers
from soundcharts_pipeline.sync.collector import frozen_heap
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.fanout import Task, fan_out, still_to_do
from soundcharts_pipeline.sync.plays import Plays
from soundcharts_pipeline.sync.questions import AIRPLAY, Question, SeriesKey, audience_worklist, still_due
from soundcharts_pipeline.sync.report import SyncReport

NOUN = "audience windows"


def sync_track_audience(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> SyncReport:
    """One platform's series of every track ranked on the days or at most `follow_days` before.

    Costs one call per track and window of 90 days that is not known yet; radio plays one per track and day.
    """
    if platform == AIRPLAY:
        plays = Plays(ctx, chart)
        try:
            plays.check_totals(lambda: track_questions(ctx, chart, days, platform))
        except SoundchartsError as error:
            asked = len(track_questions(ctx, chart, days, platform))
            raise still_to_do(NOUN, error, SyncReport(asked=asked, remaining=asked)) from error
        return plays.add_refused(_ask(ctx, chart, track_questions(ctx, chart, days, platform), plays.fetch))
    questions = track_questions(ctx, chart, days, platform)
    return _ask(ctx, chart, questions, lambda q: ctx.client.track_audience(q.uuid, platform, q.window))


def sync_artist_audience(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> SyncReport:
    """One platform's series of every artist of those tracks. Costs one call per artist, metric and window."""

    def fetch(q: Question) -> Series:
        ask = ctx.client.artist_followers if q.key.metric == FOLLOWERS else ctx.client.artist_streaming
        return ask(q.uuid, platform, q.window)

    return _ask(ctx, chart, artist_questions(ctx, chart, days, platform), fetch)


def track_questions(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> list[Question]:
    """What `sync_track_audience` would ask now."""
    return audience_worklist(ctx, SeriesKey("track", platform, TRACK_METRICS[platform]), chart, days)


def artist_questions(ctx: SyncContext, chart: ChartSettings, days: Sequence[date], platform: str) -> list[Question]:
    """What `sync_artist_audience` would ask now."""
    keys = [SeriesKey("artist", platform, metric) for metric in artist_metrics(platform)]
    return [question for key in keys for question in audience_worklist(ctx, key, chart, days)]


def _ask(
    ctx: SyncContext, chart: ChartSettings, questions: Sequence[Question], fetch: Callable[[Question], Series]
) -> SyncReport:
    task = Task(
        noun=NOUN,
        fetch=fetch,
        save=lambda conn, answers: save_answers(ctx, conn, answers),
        subjects=lambda question: [question.subject],
        still_due=lambda conn, found: still_due(conn, found, chart, ctx.clock()),
        days=lambda question: question.days,
    )
    with frozen_heap():
        return fan_out(ctx, questions, task)
