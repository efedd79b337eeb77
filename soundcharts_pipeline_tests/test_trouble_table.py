"""The table of troubles has a row for every error of ours, and the page says what the table says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from soundcharts_pipeline.api.errors import SoundchartsError, TransientError
from soundcharts_pipeline.storage import backup
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.sync import rankings, source
from soundcharts_pipeline.troubleshooting import PAGE, TROUBLES, UNKNOWN, trouble_of

DOCS = Path(__file__).parents[1]
# Errors that are only ever raised as one of their children.
ABSTRACT = {SoundchartsError, TransientError, StorageError}


def _kinds_below(error: type[Exception]) -> Iterator[str]:
    for child in error.__subclasses__():
        if child not in ABSTRACT:
            yield child.__name__
        yield from _kinds_below(child)


def test_every_error_of_ours_has_a_row() -> None:
    assert rankings.NotPublished.__name__ in TROUBLES
    assert source.SourceMismatch.__name__ in TROUBLES
    assert backup.HoldsData.__name__ in TROUBLES
    missing = {*_kinds_below(SoundchartsError), *_kinds_below(StorageError)} - TROUBLES.keys()
    assert not missing


def test_an_error_that_nobody_foresaw_has_a_row_too() -> None:
    assert trouble_of("ZeroDivisionError") is TROUBLES[UNKNOWN]


@pytest.mark.parametrize("kind", TROUBLES)
def test_a_row_is_two_sentences_and_something_to_do(kind: str) -> None:
    trouble = TROUBLES[kind]
    assert len(re.findall(r"\.(?: [A-Z]|$)", trouble.explanation)) == 2, trouble.explanation
    assert trouble.remedy.endswith(".")
    assert trouble.explanation not in trouble.remedy


def _page() -> dict[str, tuple[str, str]]:
    """Explanation and remedy by heading, as the page has them."""
    _, _, rows = (DOCS / PAGE).read_text().partition("\n# What can go wrong\n")
    found = {}
    for section in rows.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        explanation, _, remedy = " ".join(text.split()).partition(" **What to do:** ")
        found[heading] = (explanation, remedy)
    return found


def test_the_page_has_the_rows_of_the_table_and_no_other() -> None:
    rows = {trouble.title: (trouble.explanation, trouble.remedy) for trouble in TROUBLES.values()}
    assert _page() == rows
    assert len({trouble.anchor for trouble in TROUBLES.values()}) == len(TROUBLES)
