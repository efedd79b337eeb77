"""Rankings that are not stored yet, guessed from those that are: the same list, less some, plus some. Pure."""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

from soundcharts_pipeline.storage.queries.plan_inputs import Habits

# A chart of which nothing is known, and whose name tells no size: as many places as the large ones have, for a price
# that is too high is a better surprise than one that is too low.
MOST_USUAL_PLACES = 200
# The share of them that goes to another track from one ranking to the next, all of them first-timers. Guesses both, and
# named as such wherever they are shown.
USUAL_TURNOVER = 0.05
SIZE_IN_NAME = re.compile(r"\b(?:top|hot|viral)[ _-]*(\d{2,3})\b", re.IGNORECASE)


def places_named(*names: str) -> int | None:
    """How many places a chart has by the first of its names that tells: "Top 200", "viral-50-global"."""
    found = (SIZE_IN_NAME.search(name) for name in names)
    return next((int(match[1]) for match in found if match), None)


def guessed_rankings(
    stored: Mapping[date, Sequence[str]], missing: Collection[date], *, places: int, habits: Habits | None
) -> dict[date, list[str]]:
    """For each missing day the tracks of its ranking: UUIDs of stored tracks, and made-up names for new ones.

    `stored` are rankings in and near the span. Guesses go on from the nearest earlier ranking; those before the
    first stored one go back from it.
    """
    moving = habits or Habits(places * USUAL_TURNOVER, places * USUAL_TURNOVER)
    new = (f"new track {number}" for number in itertools.count(1))
    if not missing:
        return {}
    first = min(stored, default=min(missing))
    start = list(stored[first]) if stored else list(itertools.islice(new, places))
    guessed = {} if stored else {first: start}
    walk = _Walk(start, moving, new)
    for day in sorted({*missing, *stored}):
        if day > first and day in stored:
            walk.stand(stored[day])
        elif day > first:
            guessed[day] = walk.step()
    walk = _Walk(start, moving, new)
    for day in sorted((day for day in missing if day < first), reverse=True):
        guessed[day] = walk.step()
    return guessed


class _Walk:
    """A ranking, one step after the other: the last places leave, others enter at the end."""

    def __init__(self, ranking: Sequence[str], habits: Habits, new: Iterator[str]) -> None:
        self._habits, self._new = habits, new
        self._left: list[str] = []
        self._owed = self._owed_debuts = 0.0
        self.stand(ranking)

    def stand(self, ranking: Sequence[str]) -> None:
        """This is the ranking."""
        self._ranking = list(ranking)

    def step(self) -> list[str]:
        self._owed += self._habits.newcomers
        self._owed_debuts += self._habits.debuts
        leaving = min(int(self._owed), len(self._ranking))
        debuts = min(int(self._owed_debuts), leaving)
        self._owed -= leaving
        self._owed_debuts -= debuts
        # Those that come back left earlier, the first to leave first.
        back = self._left[: leaving - debuts]
        self._left = self._left[len(back) :]
        kept = len(self._ranking) - leaving
        self._left += self._ranking[kept:]
        self._ranking = [*self._ranking[:kept], *back, *itertools.islice(self._new, leaving - len(back))]
        return self._ranking
