"""The bytes of an answer to JSON values: strict about what JSON is, with texts that every database can hold."""

import json
import re
from typing import Any, Never

from pydantic_core import from_json

from soundcharts_pipeline.wording import SURROGATE, cleaned

# Escapes that may stand for what a database cannot hold. Whole surrogate pairs (an emoji) are among them: then the
# answer is looked through, and nothing found. Other answers are not, they hold tens of thousands of values.
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class NotReadable(Exception):
    """A whole body that is no JSON, or more of it than can be read. Another try would bring the same."""


def _refuse(constant: str) -> Never:
    raise NotReadable(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_json(content: bytes) -> Any:
    """The value of a body; of a key that comes twice the last one counts.

    Raises ValueError for a body that is broken, as one that was cut off, and NotReadable for one that is whole and of
    no use: `NaN` and `Infinity`, numbers of thousands of digits, lists within lists without end.
    """
    try:
        value = from_json(content, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return _read_slowly(content)
    return cleaned(value) if b"\\u0000" in content else value


def _read_slowly(content: bytes) -> Any:
    """The same, of what pydantic's reader refuses, wrongly or not: halves of surrogate pairs, encodings other than
    UTF-8, lists that are nested deep. Where both read an answer they read the same."""
    try:
        encoding = json.detect_encoding(content)
        text = content.decode(encoding, "surrogatepass")
        value = _DECODER.decode(text)
        if _is_suspicious(content, text, encoding):
            value = cleaned(value)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:  # the interpreter's own limit for the digits of a number
        raise NotReadable("a number has thousands of digits") from None
    except (RecursionError, MemoryError):
        raise NotReadable("it is nested too deep, or too large") from None
    return value


def _is_suspicious(content: bytes, text: str, encoding: str) -> bool:
    # The cheapest look first: this is done for every answer, of a hundred kilobytes and more.
    if "\\" in text and _ESCAPED.search(text):
        return True
    may_hold_halves = b"\xed" in content if encoding.startswith("utf-8") else not text.isascii()
    return may_hold_halves and SURROGATE.search(text) is not None
