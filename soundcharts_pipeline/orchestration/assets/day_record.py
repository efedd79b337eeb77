"""What is recorded of a span of days while its step goes on: progress, what is told of days, those complete."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import date

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partitions import partition_key

# A day recorded while its step goes on is recorded once more at the step's end, 16 to 50 ms an event. Steps of less
# than this are not worth that.
RECORD_SECONDS = 30.0


class DayRecord:
    """Watches the sync of one span: progress goes to the run's log, complete days are recorded, each once."""

    def __init__(
        self,
        span: ChartDays,
        record: Callable[[Sequence[date]], None],
        tell: Callable[[str, str, str], None],
        log: Callable[[str], None],
    ) -> None:
        self._span, self._record, self._tell, self._log = span, record, tell, log
        self._complete: list[date] = []
        self._recorded: set[date] = set()
        self._lacking: Collection[date] = ()
        self._began = time.monotonic()

    def progress(self, line: str) -> None:
        self._log(f"{self._span}: {line}")

    def note(self, day: date, fact: str, text: str) -> None:
        self._tell(partition_key(self._span.slug, day), fact, text)

    def leave_out(self, days: Collection[date]) -> None:
        """Days that cannot be worked on, and so are never complete."""
        self._lacking = days

    def remaining(self, days: Collection[date]) -> None:
        self._complete = [day for day in self._span.days if day not in days and day not in self._lacking]
        if time.monotonic() - self._began >= RECORD_SECONDS:
            self._began = time.monotonic()
            self.finish()

    @property
    def recorded(self) -> list[str]:
        """Partition keys of days that are recorded."""
        return [partition_key(self._span.slug, day) for day in sorted(self._recorded)]

    def finish(self) -> None:
        """Record what is complete by now."""
        new = [day for day in self._complete if day not in self._recorded]
        self._recorded.update(new)
        self._record(new)
