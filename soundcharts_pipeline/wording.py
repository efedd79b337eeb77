"""How text is written for people and read as they type it, compared in a search, cleaned of what no database holds."""

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word most like a misspelt one, None when nothing is near."""
    matches = nearest_ones(word, known, most=1)
    return matches[0] if matches else None


def nearest_ones(word: str, known: Sequence[str], *, most: int) -> list[str]:
    """The known words most like it, whatever their case and accents, the nearest first."""
    by_folded = {folded(other): other for other in reversed(known)}
    return [by_folded[match] for match in get_close_matches(folded(word), by_folded, n=most)]


def write_nearest(word: str, known: Sequence[str]) -> str:
    """The remedy for a misspelt word: the nearest known one, or all of them."""
    match = nearest(word, known)
    return f"write '{match}'" if match else f"write one of: {', '.join(known)}"


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def day_named(text: str) -> date:
    """The day of `2026-11-20`. Python reads other forms too, such as weeks, and a day that was not meant would be paid
    for. Raises ValueError."""
    if not _DAY.fullmatch(text):
        raise ValueError(f"{text!r} is not written as YYYY-MM-DD")
    return date.fromisoformat(text)


def uuid_named(text: str) -> str:
    """A UUID as Soundcharts writes it, however it was typed: in small letters. Any other text as it is."""
    return text.lower() if _UUID.fullmatch(text) else text


def month_of(day: date) -> str:
    """`2026-11`; strftime would write the year 1 with one digit."""
    return day.isoformat()[:7]


PROGRAM = "soundcharts-pipeline"


def program() -> str:
    """How to type this program's name here: with the virtualenv's folder unless that is on the path."""
    beside = Path(sys.executable).parent / PROGRAM
    if shutil.which(PROGRAM) or not beside.exists():
        return PROGRAM
    try:
        return os.path.relpath(beside)
    except FileNotFoundError:  # the current folder is gone
        return str(beside)


# Letters with a stroke, or none of the dots of others, that are no base letter with a mark.
_PLAIN = str.maketrans({"\u0131": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th"})


def folded(text: str) -> str:
    """The text without what a search leaves open: `Beyoncé` and `BEYONCE` are `beyonce`, `İstanbul` is `istanbul`,
    `Straße` is `strasse`; blanks are single. Of a text that is all marks they stay."""
    plain = " ".join(text.split())
    if plain.isascii():
        return plain.lower()
    # Folding may bring marks of its own: that of a capital i with a dot is an i and a dot.
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", plain).casefold())
    bare = "".join(letter for letter in spread if not unicodedata.combining(letter)).translate(_PLAIN)
    return " ".join(bare.split()) or plain


# The names of control characters that people know; Unicode has none for them.
_CONTROLS = {"\r": "a carriage return", "\n": "a line break", "\t": "a tab"}


def unseen_in(text: str) -> str | None:
    """The first character that nobody sees, by its name and number: a control or formatting character, or a blank that
    is no plain one."""
    found = next((letter for letter in text if _is_unseen(letter)), None)
    if found is None:
        return None
    kind = _CONTROLS.get(found) or f"a {unicodedata.name(found, 'control character').lower()}"
    return f"{kind} (U+{ord(found):04X})"


def _is_unseen(letter: str) -> bool:
    return letter != " " and unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp", "Zs")


SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without what a database cannot hold."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def cleaned(value: Any) -> Any:
    """The value with every text in it cleaned, keys too. Raises RecursionError for one that is nested too deep."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value
