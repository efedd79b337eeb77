"""Bytes to values: what is JSON, what is not, and text that every database can hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.api.bodies import NotReadable, read_json
from soundcharts_pipeline.api.errors import ServerError, UnexpectedPayload
from soundcharts_pipeline.wording import clean, cleaned

from .calling import Says, answering, caller_of, error_of, outcome

DEEP = b"[" * 3000 + b"]" * 3000


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (rb'{"name": "a\u0000b"}', {"name": "ab"}),
        (rb'{"name": "a\ud83db"}', {"name": "a\N{REPLACEMENT CHARACTER}b"}),
        (rb'{"name": "a\ude00b"}', {"name": "a\N{REPLACEMENT CHARACTER}b"}),
        (rb'{"name": "\uDE00\uD83D"}', {"name": "\N{REPLACEMENT CHARACTER}" * 2}),
        (rb'{"name": "\ud83d\ude00"}', {"name": "\N{GRINNING FACE}"}),
        (rb'{"a\u0000": [["\u0000", 1, null, true, 1.5]]}', {"a": [["", 1, None, True, 1.5]]}),
        (rb'{"a\ud83d": {"b": "\ud83d"}}', {"a\N{REPLACEMENT CHARACTER}": {"b": "\N{REPLACEMENT CHARACTER}"}}),
        (b'{"name": "a\xed\xa0\xbdb"}', {"name": "a\N{REPLACEMENT CHARACTER}b"}),
        (b'{"name": "\xed\x9f\xbf"}', {"name": "퟿"}),
        (rb'{"name": "\\u0000 is no NUL"}', {"name": "\\u0000 is no NUL"}),
        ('{"name": "\ud83d"}'.encode("utf-16", "surrogatepass"), {"name": "\N{REPLACEMENT CHARACTER}"}),
        ('\ufeff{"name": "é"}'.encode(), {"name": "é"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": "NaN"}', {"a": "NaN"}),
    ],
)
def test_text_that_no_database_holds_is_cleaned_in_values_and_keys(content: bytes, value: object) -> None:
    assert read_json(content) == value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"total": NaN}', "NaN is no JSON"),
        (b'{"total": Infinity}', "Infinity is no JSON"),
        (b'[{"total": -Infinity}]', "-Infinity is no JSON"),
        (b'{"total": ' + b"7" * 5000 + b"}", "thousands of digits"),
        (DEEP, "nested too deep"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "nested too deep"),
        (rb'["\u0000", ' + b"[" * 600 + b"]" * 600 + b"]", "nested too deep"),
    ],
)
def test_a_whole_answer_of_no_use_is_refused_by_name_and_not_asked_again(content: bytes, reason: str) -> None:
    with pytest.raises(NotReadable, match=reason):
        read_json(content)
    with answering(lambda _: Says(200, content)) as stub:
        error = error_of(caller_of(stub.url), UnexpectedPayload)
    assert reason in str(error)
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": }', b"<html>", b'{"a": "\xff"}', b'{"a": "\0"}', b"{} {}", b"nul"]
)
def test_a_broken_answer_is_asked_again(content: bytes) -> None:
    with answering(lambda _: Says(200, content)) as stub:
        error_of(caller_of(stub.url), ServerError)
    assert len(stub.asked) == 5


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500])
@pytest.mark.parametrize(
    "content",
    [DEEP, b'{"errors": ' + DEEP + b"}", b'{"errors": [{"message": ' + b"[" * 900 + b"]" * 900 + b"}]}", b"NaN"],
)
def test_no_refusal_can_say_anything_that_breaks_its_reader(status: int, content: bytes) -> None:
    with answering(lambda _: Says(status, content)) as stub:
        assert outcome(caller_of(stub.url)) is not None


def test_what_a_server_says_at_length_is_cut() -> None:
    said = Says.json({"errors": [{"message": "no\n" * 10_000 + "\0\ud83d"}]}, 404)
    with answering(lambda _: said) as stub:
        error = outcome(caller_of(stub.url))
    assert len(str(error)) < 700
    assert "\n" not in str(error)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
# Halves of pairs and NULs more often than among all of Unicode.
ODD_TEXT = st.text(st.sampled_from('ab\0\ud83d\ude00é\N{GRINNING FACE}\\"u0') | st.characters(exclude_categories=()))


@given(
    value=st.recursive(ANY | ODD_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ODD_TEXT, inner), max_leaves=9)
)
def test_every_value_is_read_as_it_was_written_but_for_its_text(value: Any) -> None:
    for ascii_only in (True, False):
        content = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        if ascii_only or b"\xed" not in content:
            # Two halves that stand side by side in an escaped text are one letter there.
            assert read_json(content) == cleaned(json.loads(content))


@given(text=ODD_TEXT)
def test_a_clean_text_stays_and_any_other_becomes_one_that_can_be_stored(text: str) -> None:
    found = clean(text)
    assert clean(found) == found
    assert "\0" not in found
    assert found.encode().decode() == found
    if "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert found == text
