"""The table of troubles has a row for every error of ours, and the page says what the table says."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from soundcharts_pipeline.api.errors import SoundchartsError, TransientError
from soundcharts_pipeline.cli.main import app
from soundcharts_pipeline.remedies import NOBODY, PAGE, PLACEHOLDER, Subject
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.housekeeping import backup
from soundcharts_pipeline.sync import preconditions as source
from soundcharts_pipeline.sync import rankings
from soundcharts_pipeline.troubleshooting import TROUBLES, UNKNOWN, trouble_of
from soundcharts_pipeline.wording import PROGRAM

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
    assert {backup.HoldsData.__name__, backup.InUse.__name__} <= TROUBLES.keys()
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


DAY = date(2026, 11, 20)
SUBJECTS = [
    NOBODY,
    Subject("viral-50-global"),
    Subject("viral-50-global", DAY, DAY),
    Subject("viral-50-global", DAY, DAY, "chart_rankings"),
    Subject("viral-50-global", DAY - timedelta(days=2), DAY, "track_audience/line-music"),
]


@pytest.mark.parametrize("kind", TROUBLES)
def test_what_to_do_is_filled_in_as_far_as_a_place_knows_what_it_is_about(kind: str) -> None:
    for subject in SUBJECTS:
        advice = TROUBLES[kind].advice(subject)
        assert not PLACEHOLDER.search(advice)
        assert "  " not in advice
        for command in re.findall(rf"`{PROGRAM} ([^`]+)`", advice):
            _check_usage(command.split(), whole=bool(subject.first))


def _check_usage(words: list[str], *, whole: bool) -> None:
    """The command is one of ours and, where all is known, can be typed as it stands."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    with root.make_context(PROGRAM, list(words)) as context:
        name, command, rest = root.resolve_command(context, words)
        assert command is not None
        if whole and rest:
            command.make_context(name, rest, parent=context)


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
