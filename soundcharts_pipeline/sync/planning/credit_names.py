"""Artists as a credit name prints them: where one name ends and the next begins. Pure text."""

import re
from collections.abc import Collection, Iterable, Mapping

from soundcharts_pipeline.wording import folded

# "feat." also in brackets. A plain comma or "&" may be part of one name: known artists decide.
_BETWEEN = re.compile(
    r"\s*[(\[]?\s*\b(?:feat\.?|ft\.?|featuring|with|and|vs\.?)(?:\s+|$)|\s+x\s+|\s*[,&;/+]\s+|\s+[&/+]\s*",
    re.IGNORECASE,
)

# Before anything is measured: the API lists artists who are merely credited besides main and featured ones, so some
# have to be expected. One for fifty is no measurement; it counts as much as fifty artists that were measured.
ASSUMED_UNNAMED, ASSUMED_NAMED = 1, 50


def plain(name: str) -> str:
    """The name as it is compared."""
    return folded(name.strip(" ()[]"))


def artists_named(credit_name: str, known: Collection[str] | Mapping[str, str]) -> list[str]:
    """The artists' names in a credit name, `plain`, each once.

    The longest run of parts that is a `known` (plain) name stays one, so that "Earth, Wind & Fire" is a band.
    """
    starts, ends, place = [], [], 0
    for between in _BETWEEN.finditer(credit_name):
        starts.append(place)
        ends.append(between.start())
        place = between.end()
    starts.append(place)
    ends.append(len(credit_name))
    names: list[str] = []
    first = 0
    while first < len(starts):
        last = first
        for candidate in range(len(starts) - 1, first, -1):
            if plain(credit_name[starts[first] : ends[candidate]]) in known:
                last = candidate
                break
        names.append(plain(credit_name[starts[first] : ends[last]]))
        first = last + 1
    return [name for name in dict.fromkeys(names) if name]


def unnamed_share(credits_: Iterable[tuple[str, str, str]]) -> float:
    """Artists whom no credit name of theirs holds, for each artist who is named.

    Read from (credit name, artist's name, artist's UUID). A few artists say little, hence the assumption beside them.
    """
    named: set[str] = set()
    everyone: set[str] = set()
    for credit_name, name, uuid in credits_:
        everyone.add(uuid)
        if plain(name) in plain(credit_name):
            named.add(uuid)
    return (len(everyone) - len(named) + ASSUMED_UNNAMED) / (len(named) + ASSUMED_NAMED)
