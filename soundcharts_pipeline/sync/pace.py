"""How a long worklist comes on, in a line for people every few seconds."""

import time
from collections.abc import Callable

# The longest silence too: with each line progress is saved and claims are renewed, though every call may wait its turn.
LINE_SECONDS = 5.0


class Pace:
    """`total` questions; the speed is that of the time since the last line, what is left is judged by the whole."""

    def __init__(self, noun: str, total: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._noun, self._total = noun, total
        self._monotonic = monotonic
        self._began = self._said_at = monotonic()
        self._calls_said = 0

    def is_due(self) -> bool:
        """Whether it is time for another line."""
        return self._monotonic() - self._said_at >= LINE_SECONDS

    def line(self, done: int, calls: int) -> str:
        """`1,200 of 73,000 audience windows, 166.7 calls/s, 7 min 11 s left`; both numbers since the beginning."""
        now = self._monotonic()
        speed = (calls - self._calls_said) / max(now - self._said_at, 1e-9)
        self._said_at, self._calls_said = now, calls
        left = f", {duration((now - self._began) / done * (self._total - done))} left" if done else ""
        return f"{done:,} of {self._total:,} {self._noun}, {speed:.1f} calls/s{left}"


def duration(seconds: float) -> str:
    """`12 s`, `7 min 11 s`, `3 h 05 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
