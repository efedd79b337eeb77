"""Coverage against a model that keeps a set of days: nothing is lost, nothing claimed, no call too many."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soundcharts_pipeline.clock import PUBLISHING_DELAY_DAYS
from soundcharts_pipeline.models import ONE_DAY, AnsweredWindow, Window
from soundcharts_pipeline.sync.coverage import answered, due_windows, targets_of

FIRST = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
RECHECK = timedelta(hours=12)
# A busy machine is no failure.
UNTIMED = settings(deadline=None)


def _day(number: int) -> date:
    return FIRST + timedelta(days=number)


def _at(hours: int) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def _span(first: int, last: int) -> Window:
    return Window(_day(first), _day(last))


def _days(windows: Iterable[Window]) -> set[date]:
    return {w.start + timedelta(days=n) for w in windows for n in range((w.end - w.start).days + 1)}


def _length(window: Window) -> int:
    return (window.end - window.start).days + 1


SPANS = st.tuples(st.integers(0, 40), st.integers(1, 25)).map(lambda pair: _span(pair[0], pair[0] + pair[1] - 1))


class Answered(NamedTuple):
    """One answer: when, for which window, with points on which days."""

    hours: int
    window: Window
    present: frozenset[date]


class Model:
    """Every day by itself: whether it is settled, and when it was last asked."""

    def __init__(self, delay_days: int) -> None:
        self.delay = timedelta(days=delay_days)
        self.settled: set[date] = set()
        self.asked: dict[date, datetime] = {}

    def take(self, answer: Answered) -> None:
        now, so_far = _at(answer.hours), True
        for day in sorted(_days([answer.window])):
            old = day <= now.date() - self.delay
            so_far = so_far and (old or day in answer.present)
            if so_far:
                self.settled.add(day)
            self.asked[day] = now


@st.composite
def answer_sequences(draw: st.DrawFn) -> list[Answered]:
    hours, answers = 0, []
    for _ in range(draw(st.integers(1, 8))):
        hours += draw(st.integers(0, 24 * 12))
        window = draw(SPANS)
        days = sorted(_days([window]))
        present = frozenset(draw(st.one_of(st.just(days), st.lists(st.sampled_from(days), unique=True))))
        answers.append(Answered(hours, window, present))
    return answers


def _window(days: Window, settled: date | None, asked_at: datetime) -> AnsweredWindow:
    return AnsweredWindow(days.start, days.end, settled, asked_at)


def _asks_after(answers: Sequence[Answered], delay_days: int) -> list[AnsweredWindow]:
    asks: list[AnsweredWindow] = []
    for answer in answers:
        asks = answered(asks, answer.window, answer.present, now=_at(answer.hours), delay_days=delay_days)
    return asks


def _settled(asks: Iterable[AnsweredWindow]) -> set[date]:
    return _days(Window(ask.start, ask.settled) for ask in asks if ask.settled is not None)


# A short window first asked as part of a long one, then the long one's other end: two asks that would both be kept
# under the same days, which is their key.
SAME_KEY = [
    Answered(0, _span(0, 19), frozenset()),
    Answered(24 * 60, _span(5, 19), frozenset()),
    Answered(24 * 61, _span(0, 9), frozenset()),
]


@UNTIMED
@given(answers=answer_sequences(), delay_days=st.integers(0, 15))
@example(answers=SAME_KEY, delay_days=15)
def test_after_any_answers_exactly_the_settled_days_are_settled(answers: list[Answered], delay_days: int) -> None:
    model = Model(delay_days)
    asks: list[AnsweredWindow] = []
    for answer in answers:
        model.take(answer)
        asks = answered(asks, answer.window, answer.present, now=_at(answer.hours), delay_days=delay_days)

        assert _settled(asks) == model.settled
        assert all(ask.settled is None or ask.start <= ask.settled <= ask.end for ask in asks)
        # The window is the key under which an ask is stored.
        assert len({(ask.start, ask.end) for ask in asks}) == len(asks)


@UNTIMED
@given(answers=answer_sequences(), delay_days=st.integers(0, 15))
@example(answers=SAME_KEY, delay_days=15)
def test_after_any_answers_each_open_day_knows_when_it_was_last_asked(answers: list[Answered], delay_days: int) -> None:
    model = Model(delay_days)
    for answer in answers:
        model.take(answer)
    last: dict[date, datetime] = {}
    for ask in _asks_after(answers, delay_days):
        if ask.open_from <= ask.end:
            for day in _days([Window(ask.open_from, ask.end)]):
                last[day] = max(ask.asked_at, last.get(day, ask.asked_at))

    assert {day: at for day, at in last.items() if day not in model.settled} == {
        day: at for day, at in model.asked.items() if day not in model.settled
    }


@UNTIMED
@given(answers=answer_sequences(), later=st.integers(1, 24 * 40), longest=st.integers(1, 30), data=st.data())
@example(answers=SAME_KEY, later=1, longest=7, data=None)
def test_every_day_is_asked_again_once_whatever_was_known_before(
    answers: list[Answered], later: int, longest: int, data: st.DataObject | None
) -> None:
    asks, begin = _asks_after(answers, 3), _at(answers[-1].hours + later)
    target = Window(min(a.window.start for a in answers), max(a.window.end for a in answers) + ONE_DAY * 5)
    before, again, now = _settled(asks), set[date](), begin
    while due := due_windows([target], asks, now=now, recheck=RECHECK, longest=longest, known_since=begin):
        window = data.draw(st.sampled_from(due)) if data else due[0]
        assert not again & _days([window])
        again |= _days([window])
        asks = answered(asks, window, _days([window]), now=now, delay_days=3, known_since=begin)
        assert len({(ask.start, ask.end) for ask in asks}) == len(asks)
        now += timedelta(seconds=1)

    assert again == _days([target])
    assert before <= _settled(asks)
    # Who does not ask again has nothing to ask, and the next answer folds what is left of the old asks away.
    assert due_windows([target], asks, now=now, recheck=RECHECK, longest=90) == []
    tomorrow = _span((target.end - FIRST).days + 1, (target.end - FIRST).days + 1)
    assert len(answered(asks, tomorrow, [], now=now, delay_days=3)) <= len(asks) + 1


@st.composite
def ask_lists(draw: st.DrawFn) -> list[AnsweredWindow]:
    asks = []
    for window in draw(st.lists(SPANS, max_size=5)):
        settled = draw(st.none() | st.sampled_from(sorted(_days([window]))))
        asks.append(_window(window, settled, _at(draw(st.integers(-48, 0)))))
    return asks


def _fewest(days: set[date], longest: int) -> int:
    """The fewest windows of so many days that hold all days, found by trying every way to end the last window."""
    ordered = sorted(days)
    fewest = [0]
    for end in range(len(ordered)):
        starts = [i for i in range(end + 1) if (ordered[end] - ordered[i]).days < longest]
        fewest.append(1 + min(fewest[start] for start in starts))
    return fewest[-1]


@UNTIMED
@given(targets=st.lists(SPANS, max_size=4), asks=ask_lists(), longest=st.integers(1, 30))
@example(targets=[_span(0, 89)], asks=[], longest=90)
@example(targets=[_span(0, 90)], asks=[], longest=90)
@example(targets=[_span(0, 9)], asks=[_window(_span(3, 5), _day(5), _at(-48))], longest=10)
def test_due_days_are_asked_in_the_fewest_windows(
    targets: list[Window], asks: list[AnsweredWindow], longest: int
) -> None:
    now = _at(0)
    open_days = _days(targets) - _settled(asks)
    recent = _days(
        Window(ask.open_from, ask.end) for ask in asks if ask.asked_at > now - RECHECK and ask.open_from <= ask.end
    )
    due = open_days - recent
    windows = due_windows(targets, asks, now=now, recheck=RECHECK, longest=longest)

    assert due <= _days(windows)
    assert all(1 <= _length(window) <= longest for window in windows)
    assert all(before.end < after.start for before, after in pairwise(windows))
    for window in windows:
        # Each has a reason, and neither begins nor ends with a day that nobody asks for.
        assert due & _days([window])
        assert {window.start, window.end} <= open_days
    assert len(windows) <= _fewest(open_days, longest)
    if due == open_days:
        assert len(windows) == _fewest(due, longest)


@UNTIMED
@given(numbers=st.lists(st.integers(0, 120), max_size=8), history=st.integers(1, 90), last=st.integers(-10, 130))
def test_targets_are_the_history_of_each_day_as_few_windows(numbers: list[int], history: int, last: int) -> None:
    targets = targets_of([_day(number) for number in numbers], history, last=_day(last))

    known = (_day(number - back) for number in numbers for back in range(history))
    assert _days(targets) == {day for day in known if day <= _day(last)}
    assert all(before.end + ONE_DAY < after.start for before, after in pairwise(targets))


@UNTIMED
@given(delays=st.lists(st.integers(1, PUBLISHING_DELAY_DAYS), min_size=60, max_size=60), history=st.integers(1, 30))
@example(delays=[1] * 60, history=30)
@example(delays=[PUBLISHING_DELAY_DAYS] * 60, history=1)
def test_a_series_followed_day_by_day_is_one_row_one_call_a_day_and_every_late_point(
    delays: list[int], history: int
) -> None:
    asks: list[AnsweredWindow] = []
    stored: set[date] = set()
    for today in range(30, 90):
        # The target grows from day to day, as that of a track that stays on the chart.
        target = [Window(_day(30 - history), _day(today - 1))]
        now = _at(24 * today + 2)
        windows = due_windows(target, asks, now=now, recheck=RECHECK, longest=90)
        assert len(windows) == 1
        published = {_day(number) for number, delay in enumerate(delays) if number + delay <= today}
        present = published & _days(windows)
        stored |= present
        asks = answered(asks, windows[0], present, now=now, delay_days=PUBLISHING_DELAY_DAYS)
        assert len(asks) == 1
        assert due_windows(target, asks, now=now + timedelta(hours=1), recheck=RECHECK, longest=90) == []

    assert stored == {_day(number) for number in range(max(0, 30 - history), 60)}


def test_a_late_point_is_picked_up_by_the_call_that_asks_for_the_next_day() -> None:
    present = {_day(0), _day(1), _day(3)}
    asks = answered([], _span(0, 4), present, now=_at(24 * 5), delay_days=15)
    assert asks == [_window(_span(0, 4), _day(1), _at(24 * 5))]

    # The third day was late, so the next call starts there.
    [window] = due_windows([_span(0, 5)], asks, now=_at(24 * 6), recheck=RECHECK, longest=90)
    assert window == _span(2, 5)
    asks = answered(asks, window, {_day(2), _day(3), _day(4)}, now=_at(24 * 6), delay_days=15)
    assert asks == [_window(_span(0, 5), _day(4), _at(24 * 6))]


def test_a_gap_is_absent_only_once_it_is_older_than_the_publishing_delay() -> None:
    present = {_day(number) for number in range(20)} - {_day(2)}
    before = answered([], _span(0, 19), present, now=_at(24 * 16), delay_days=15)
    after = answered([], _span(0, 19), present, now=_at(24 * 17), delay_days=15)

    assert (before[0].settled, after[0].settled) == (_day(1), _day(19))


def test_an_answer_without_points_settles_what_is_old_and_keeps_asking_for_the_rest() -> None:
    asks = answered([], _span(0, 19), [], now=_at(24 * 20), delay_days=15)

    assert asks == [_window(_span(0, 19), _day(5), _at(24 * 20))]
    assert due_windows([_span(0, 19)], asks, now=_at(24 * 21), recheck=RECHECK, longest=90) == [_span(6, 19)]


@pytest.mark.parametrize(("hours", "due"), [(0, []), (11, []), (12, [_span(0, 9)]), (30, [_span(0, 9)])])
def test_an_open_day_is_asked_again_after_the_recheck_time(hours: int, due: list[Window]) -> None:
    asks = [_window(_span(0, 9), None, _at(0))]

    assert due_windows([_span(0, 9)], asks, now=_at(hours), recheck=RECHECK, longest=90) == due


def test_an_older_history_wanted_later_is_asked_for_alone_and_joins_the_row() -> None:
    asks = answered([], _span(30, 59), _days([_span(30, 59)]), now=_at(24 * 60), delay_days=15)
    windows = due_windows([_span(0, 59)], asks, now=_at(24 * 60), recheck=RECHECK, longest=90)

    assert windows == [_span(0, 29)]
    assert answered(asks, windows[0], [], now=_at(24 * 60), delay_days=15) == [
        _window(_span(0, 59), _day(59), _at(24 * 60))
    ]


def test_one_call_over_settled_days_is_cheaper_than_two_around_them() -> None:
    asks = [_window(_span(10, 50), _day(50), _at(-48))]

    assert due_windows([_span(0, 60)], asks, now=_at(0), recheck=RECHECK, longest=90) == [_span(0, 60)]
    assert due_windows([_span(0, 60)], asks, now=_at(0), recheck=RECHECK, longest=30) == [_span(0, 9), _span(51, 60)]
