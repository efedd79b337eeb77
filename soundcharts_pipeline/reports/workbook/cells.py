"""What may stand in a cell of a workbook: text that stays text, and links that a click may follow."""

import re
from datetime import date
from math import isfinite
from urllib.parse import urlsplit

# Of a cell, in UTF-16 units, as Excel counts: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
LONGEST_TEXT = 32_767
CUT = " [cut]"
LONGEST_NAME = 34
# A sheet's numbers are floats, and show fifteen digits: a longer whole number is a text, which keeps all of its digits.
MOST_NUMBER = 999_999_999_999_999
# Of a link, in UTF-16 units, and of the links of a sheet; a workbook with more is repaired by Excel when it is opened,
# and loses its links.
LONGEST_LINK, MOST_LINKS = 2_079, 65_530
# Days are counted from then. A sheet takes 1900 for a leap year: no day before that March is what it says.
DAY_ZERO, FIRST_DAY = date(1899, 12, 30), date(1900, 3, 1)
# XML 1.0 cannot write these: a sheet that holds one is no XML.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# How a sheet writes a character by its number (ST_Xstring of ECMA-376, part 1, 22.9.2.19).
_LIKE_A_CODE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_CODED = re.compile(r'[%"<>\[\]^`{}]')
_NO_ADDRESS = re.compile(rf"[\s\x7f]|{_UNWRITABLE.pattern}")


def plain_text(text: str) -> str:
    """The text without what XML cannot hold, at most as long as a cell takes. Whoever writes it says it is a string:
    what begins with = + - @ is no formula then."""
    # A reader of XML makes a line feed of every carriage return.
    clean = _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    # No character takes more than two units.
    if len(clean) * 2 <= LONGEST_TEXT:
        return clean
    units = clean.encode("utf-16-le")
    if len(units) <= LONGEST_TEXT * 2:
        return clean
    return units[: (LONGEST_TEXT - len(CUT)) * 2].decode("utf-16-le", errors="ignore") + CUT


def as_written(text: str) -> str:
    """The text as XML holds it: what only looks like the code of a character, `_x0041_`, is not read as one. The writer
    of bulk workbooks does the same by itself."""
    return _LIKE_A_CODE.sub("_x005F_", text)


def exact(number: int) -> int | str:
    """The number, or its digits as text where a sheet would change them."""
    return number if -MOST_NUMBER <= number <= MOST_NUMBER else str(number)


def exact_day(day: date) -> date | str:
    """The day, or its name as text where a sheet would show another."""
    return day if day >= FIRST_DAY else day.isoformat()


def as_cell(value: object) -> str | float | None:
    """What a cell holds of the value: a day is a number there, and a number that a sheet has not is a text. Raises
    TypeError for what is no text, number or day."""
    match value:
        case None:
            return None
        case int():
            return exact(value)
        case str():
            return plain_text(value) or None
        case date():
            day = exact_day(value)
            return day if isinstance(day, str) else (day - DAY_ZERO).days
        case float():
            return value if isfinite(value) else str(value)
    raise TypeError(f"no cell holds {value!r}")


def short(name: str) -> str:
    """A name as a sentence or a legend has room for."""
    line = " ".join(name[:LONGEST_NAME].split())
    return line if len(name) <= LONGEST_NAME else f"{line}…"


def web_link(url: str | None) -> str | None:
    """The address if it is one of the web; None for everything else (`file:`, `javascript:`, a path)."""
    if not url or _NO_ADDRESS.search(url):
        return None
    # XlsxWriter gives each of some signs as the three of its code.
    if len(url.encode("utf-16-le")) // 2 + 2 * len(_CODED.findall(url)) > LONGEST_LINK:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None
