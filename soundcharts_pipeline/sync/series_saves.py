"""Answered windows into the warehouse: points, what is known of the series from now on, confirmed absence."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import Connection

from soundcharts_pipeline.api.errors import NotFound
from soundcharts_pipeline.clock import PUBLISHING_DELAY_DAYS
from soundcharts_pipeline.models import AnsweredWindow, Series
from soundcharts_pipeline.storage.queries import worklists
from soundcharts_pipeline.storage.queries.worklists import CLOSED, GONE, SILENT
from soundcharts_pipeline.storage.saves import SeriesAnswer, add_tombstones, remove_tombstones, save_series
from soundcharts_pipeline.sync.context import SyncContext
from soundcharts_pipeline.sync.coverage import answered
from soundcharts_pipeline.sync.evidence import Unproven
from soundcharts_pipeline.sync.series_worklist import Question, SeriesKey
from soundcharts_pipeline.sync.worklist import Answer

# The newest ranking of a daily chart is a day or two old, and its windows end on its day.
NEWEST_RANKING = timedelta(days=3)
# A series that was silent for a week may well begin tomorrow.
LONG_SILENCE = timedelta(days=28)
# An identifier of a song that has had no point for so long reports no more.
STILL_REPORTS = timedelta(days=2 * PUBLISHING_DELAY_DAYS)
# Longer ago than any day that is asked for.
NEVER_SETTLED_DAYS = 100_000


def save_answers(ctx: SyncContext, conn: Connection, answers: Sequence[Answer[Question, Series]]) -> int:
    """All answers of a moment, in the caller's transaction. Returns the number of points.

    An answer that is not proven counts as asked for now, and settles nothing.
    """
    by_key: dict[SeriesKey, list[tuple[Question, Series]]] = defaultdict(list)
    refused: dict[SeriesKey, dict[str, str]] = defaultdict(dict)
    for question, given in answers:
        answer = given.answer if isinstance(given, Unproven) else given
        if isinstance(given, Unproven):
            question = replace(question, unconfirmed=True, settles=False)
        if isinstance(answer, Series):
            by_key[question.key].append((question, answer))
        elif isinstance(given, Unproven) or (isinstance(answer, NotFound) and question.unconfirmed):
            by_key[question.key].append((question, Series(())))
        else:
            refused[question.key][question.uuid] = GONE if isinstance(answer, NotFound) else CLOSED
    for key, reasons in refused.items():
        add_tombstones(conn, key.entity, key.scope, reasons, ctx.clock())
    return sum(_save_series(ctx, conn, key, of_key) for key, of_key in by_key.items())


def _save_series(ctx: SyncContext, conn: Connection, key: SeriesKey, answers: Sequence[tuple[Question, Series]]) -> int:
    now = ctx.clock()
    known = worklists.asks_of(conn, key.entity, key.platform, key.metric, {q.uuid for q, _ in answers})
    asks: dict[str, Sequence[AnsweredWindow]] = dict(known)
    empty = {q.uuid for q, series in answers if not series.points and _is_absence(q, asks.get(q.uuid, ()), now.date())}
    heard = worklists.with_points(conn, key.entity, key.platform, key.metric, empty) if empty else set()
    silent = dict.fromkeys(empty - heard, SILENT)
    identifiers = _still_reporting(conn, key, answers)
    for question, series in answers:
        asks[question.uuid] = answered(
            asks.get(question.uuid, ()),
            question.window,
            _whole_days(key, series, identifiers.get(question.uuid, set())),
            now=now,
            delay_days=key.delay_days if question.settles else NEVER_SETTLED_DAYS,
            asked_on=min(question.found_on, now.date()),
            known_since=ctx.known_since,
        )
    rows = save_series(
        conn,
        key.entity,
        key.platform,
        key.metric,
        [SeriesAnswer(q.uuid, series, asks[q.uuid], known.get(q.uuid, ())) for q, series in answers],
        now,
    )
    remove_tombstones(conn, key.entity, key.scope, {q.uuid for q, series in answers if series.points})
    add_tombstones(conn, key.entity, key.scope, silent, now)
    return rows


def _is_absence(question: Question, asked: Sequence[AnsweredWindow], today: date) -> bool:
    """An empty answer confirms absence when it ends a long silence and lasts up to now. A shorter or older one says
    only of its own days that they are silent, which what was asked remembers: what begins tomorrow is not missed."""
    silent_since = min([question.window.start, *(ask.start for ask in asked)])
    is_long = question.window.end - silent_since >= LONG_SILENCE
    return not question.unconfirmed and is_long and today - question.window.end <= NEWEST_RANKING


def _still_reporting(
    conn: Connection, key: SeriesKey, answers: Sequence[tuple[Question, Series]]
) -> dict[str, set[str]]:
    """The identifiers under which each song had points of late. An answer of a few days may lack one that is late."""
    starts = {question.uuid: question.window.start for question, series in answers if series.points}
    if key.entity != "track" or key.by_day or not starts:
        return {}
    since = min(starts.values()) - STILL_REPORTS
    return worklists.identifiers_since(conn, key.platform, key.metric, starts.keys(), since)


def _whole_days(key: SeriesKey, series: Series, others: Set[str]) -> set[date]:
    """Days that came with a point of every identifier of the answer and of the `others`: no later answer can add to
    them. A count of plays is never whole by being there, its day may still go on."""
    if key.by_day:
        return set()
    identifiers = others | {point.identifier for point in series.points}
    by_day: dict[date, set[str]] = defaultdict(set)
    for point in series.points:
        by_day[point.day].add(point.identifier)
    return {day for day, there in by_day.items() if there == identifiers}
