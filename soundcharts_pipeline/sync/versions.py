"""What is told of a ranking that took the place of a stored one."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from soundcharts_pipeline.models import ChartDays, PublishedRanking, Ranking
from soundcharts_pipeline.storage.queries import rankings, worklists

# The name that it has in the metadata of the day's materialisation.
PUBLISHED_AGAIN = "published_again"

# So long after its day a ranking is read once more every day while places of it cannot be read; a weekend passes.
PLACES_AWAITED_FOR = timedelta(days=3)

Names = Mapping[int, Mapping[str, str]]


class StoredVersion:
    """The version of a chart-day that was stored before another one is saved; read before, compared after."""

    def __init__(self, conn: Connection, slug: str, asked: PublishedRanking) -> None:
        known = worklists.ranking_days(conn, ChartDays(slug, asked.day, asked.day)).get(asked.day)
        self._asked = asked
        self._is_first = known is None or known.saved_at is None
        self._version = known.saved_version if known else None
        self._names = rankings.names_of(conn, slug, asked.day) if known and known.saved_at else {}

    def is_final(self, ranking: Ranking, now: datetime) -> bool:
        """Whether the ranking need not be read again: all of its places could be read, or some not for so long that
        they are like that. What is read for the first time is read a second time, however old it is."""
        is_young = now.date() <= self._asked.day + PLACES_AWAITED_FOR
        return not ranking.unreadable or not (self._is_first or is_young)

    def told(self, ranking: Ranking) -> str | None:
        """What moved; None for a day without an earlier version, and for the same version with the same places."""
        now: dict[int, dict[str, str]] = {}
        for entry in ranking.entries:
            now.setdefault(entry.position, {})[entry.track.uuid] = entry.track.name
        before = self._names
        moved = sum(before.get(place, {}).keys() != now.get(place, {}).keys() for place in {*before, *now})
        is_other = self._version is not None and self._version != self._asked.timestamp
        if not before or not (moved or is_other):
            return None
        how = f"published again at {self._asked.timestamp}" if is_other else "asked again"
        words = "no place moved" if not moved else f"{moved} place{'s' if moved > 1 else ''} moved"
        first, was = _at_the_top(now), _at_the_top(before)
        top = f"the number one is now {first}, was {was}" if first != was else f"the number one is still {first}"
        return f"{self._asked.day} {how}: {words}, {top}"


def _at_the_top(names: Names) -> str:
    return " and ".join(sorted(names[min(names)].values())) if names else "nobody"
