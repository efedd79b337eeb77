"""The limiter with a clock of our own: the limit as promised, pauses, and nobody left waiting."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soundcharts_pipeline.api.throttle import WINDOW_SECONDS, SlidingWindow

from .fake_time import FakeTime

Deeds = Sequence[tuple[str, float]]
# A busy machine is no failure.
UNTIMED = settings(deadline=None)


def _most_in_a_minute(times: Sequence[float]) -> int:
    return max(sum(start <= time < start + 60 for time in times) for start in times)


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.just(0.0)),
        st.tuples(st.just("wait"), st.floats(0, 90)),
        st.tuples(st.just("pause"), st.floats(0, 200)),
    ),
    max_size=60,
)


@UNTIMED
@given(per_minute=st.integers(1, 6), deeds=DEEDS)
@example(per_minute=1, deeds=[("call", 0.0), ("wait", 59.999), ("call", 0.0), ("call", 0.0)])
@example(per_minute=2, deeds=[("call", 0.0), ("pause", 10.0), ("pause", 3.0), ("call", 0.0)])
def test_never_more_than_so_many_in_any_minute_none_in_a_pause_and_no_wait_longer_than_that(
    per_minute: int, deeds: Deeds
) -> None:
    time = FakeTime()
    throttle = SlidingWindow(per_minute, monotonic=time.monotonic, sleep=time.sleep)
    left: list[float] = []
    blocked_until = 0.0
    for deed, seconds in deeds:
        if deed == "wait":
            time.now += seconds
        elif deed == "pause":
            throttle.pause(seconds)
            blocked_until = max(blocked_until, time.now + seconds)
        else:
            free_at = left[-per_minute] + WINDOW_SECONDS if len(left) >= per_minute else 0.0
            asked = time.now
            throttle.acquire()
            assert time.now == pytest.approx(max(asked, free_at, blocked_until))
            left.append(time.now)
    assert not left or _most_in_a_minute(left) <= per_minute


def test_the_minute_may_be_used_at_once_and_then_the_next_one_waits_for_the_first_to_be_over() -> None:
    time = FakeTime()
    throttle = SlidingWindow(5_000, monotonic=time.monotonic, sleep=time.sleep)
    for _ in range(5_000):
        throttle.acquire()
    assert time.slept == []

    throttle.acquire()
    assert time.slept == [WINDOW_SECONDS]


def test_a_pause_that_comes_while_a_thread_sleeps_is_obeyed_before_its_call_leaves() -> None:
    pauses = iter([7.0])
    time = FakeTime(woken=lambda: throttle.pause(next(pauses, 0.0)))
    throttle = SlidingWindow(10, monotonic=time.monotonic, sleep=time.sleep)
    throttle.pause(5)

    throttle.acquire()
    assert time.slept == [5, 7]
    assert time.now == 12


def test_a_slot_that_another_thread_took_meanwhile_is_waited_for_again() -> None:
    takers = iter([True])

    def take() -> None:
        if next(takers, False):
            throttle.acquire()

    time = FakeTime(woken=take)
    throttle = SlidingWindow(1, monotonic=time.monotonic, sleep=time.sleep)
    throttle.acquire()

    throttle.acquire()
    assert time.slept == [WINDOW_SECONDS, WINDOW_SECONDS]


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    time = FakeTime()
    throttle = SlidingWindow(10, monotonic=time.monotonic, sleep=time.sleep)
    throttle.pause(30)
    throttle.pause(1)

    throttle.acquire()
    assert time.now == 30


@pytest.mark.parametrize("pause", [0.0, 25.0])
def test_many_threads_all_get_through_and_keep_the_limit_together(pause: float) -> None:
    time, taken, lock = FakeTime(), list[tuple[float, str]](), threading.Lock()

    class Recorder:
        """The clock as the throttle reads it; the last reading of a thread before it leaves is when it left."""

        reading = threading.local()

        def monotonic(self) -> float:
            self.reading.at = time.now
            return time.now

    clock = Recorder()
    throttle = SlidingWindow(20, monotonic=clock.monotonic, sleep=time.sleep)
    throttle.pause(pause)

    def calls(name: str) -> None:
        for _ in range(20):
            throttle.acquire()
            with lock:
                taken.append((clock.reading.at, name))

    names = [f"thread {number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(calls, names))

    times = sorted(at for at, _ in taken)
    assert _most_in_a_minute(times) <= 20
    assert times[0] >= pause
    assert {name: sum(of == name for _, of in taken) for name in names} == dict.fromkeys(names, 20)
