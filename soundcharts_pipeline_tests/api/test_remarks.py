"""Remarks are counted without end and kept in a few examples."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from soundcharts_pipeline.api.remarks import ABSENT, EXAMPLES, LEFT_EMPTY, LEFT_OUT, SHOWN_LENGTH, RemarkCount, Remarks


def test_remarks_of_one_kind_are_counted_and_the_first_few_kept() -> None:
    remarks = Remarks()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: remarks.add("track", f"uuid {n}", "duration", 215.4, LEFT_EMPTY), range(1000)))
    remarks.add("track", "another", "name", None, LEFT_OUT)

    most, least = remarks.drain()
    assert (most.endpoint, most.field, most.done, most.count, len(most.examples)) == (
        *("track", "duration", LEFT_EMPTY, 1000),
        EXAMPLES,
    )
    assert least == RemarkCount("track", "name", LEFT_OUT, 1, [("another", "null")])
    assert remarks.drain() == []
    assert str(least) == "track name: null of another, left out"
    assert str(most).endswith(", left empty, and 999 more")


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (ABSENT, "nothing"),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("", "''"),
        ("two\n lines\0", "two lines"),
        ("x" * 1000, "x" * (SHOWN_LENGTH - 1) + "…"),
        ("\ud83d", "\N{REPLACEMENT CHARACTER}"),
        ([1, 2], "a list of 2"),
        ({"a": 1}, "an object of 1"),
        (10**300, "1" + "0" * (SHOWN_LENGTH - 2) + "…"),
    ],
)
def test_what_was_found_is_shown_shortly(found: object, shown: str) -> None:
    assert Remarks().shown(found) == shown


def test_a_value_nested_without_end_is_shown_too() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert Remarks().shown(deep) == "a list of 1"
