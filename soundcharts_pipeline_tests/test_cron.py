"""What a user may write as a schedule; whatever is accepted, Dagster accepts too."""

import pytest
from dagster import ScheduleDefinition
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.cron import ScheduleError, cron_schedule, in_words


@pytest.mark.parametrize(
    ("phrase", "cron"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("  */15   8-18/2 1,15 JAN-mar Mon-fri ", "*/15 8-18/2 1,15 jan-mar mon-fri"),
        ("hourly", "0 * * * *"),
        ("every hour", "0 * * * *"),
        ("every 1 hours", "0 * * * *"),
        ("every 6 hours", "0 */6 * * *"),
        ("Every 24 Hours", "0 0 * * *"),
        ("daily at 06:30", "30 6 * * *"),
        ("daily at 6:05", "5 6 * * *"),
        ("weekly on Monday at 06:00", "0 6 * * 1"),
        ("weekly on sun at 23:59", "59 23 * * 0"),
    ],
)
def test_a_schedule_becomes_a_cron_string(phrase: str, cron: str) -> None:
    assert cron_schedule(phrase) == cron


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 * * * *", "hourly"),
        ("0 */6 * * *", "every 6 hours"),
        ("30 6 * * *", "daily at 06:30"),
        ("0 6 * * 1", "weekly on monday at 06:00"),
        ("59 23 * * 7", "weekly on sunday at 23:59"),
    ],
)
def test_a_cron_string_that_is_a_phrase_reads_as_one(cron: str, words: str) -> None:
    assert in_words(cron) == words
    assert cron_schedule(words).replace("* * 0", "* * 7") == cron


@pytest.mark.parametrize("cron", ["*/15 * * * *", "0 2 1 * *", "0 2 * * 1-5", "0 0,12 * * *"])
def test_any_other_cron_string_is_told_as_it_is(cron: str) -> None:
    assert in_words(cron) == cron


BAD_CRON_STRINGS = (
    "",
    "monthly",
    "@daily",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "0 24 * * *",
    "0 0 0 * *",
    "0 0 * 13 *",
    "0 0 * * 8",
    "0 0 30 2 *",
    "0 0 31 4,6 *",
    "5-1 * * * *",
    "*/0 * * * *",
    "*/60 * * * *",
    "a * * * *",
    "1- * * * *",
    "1,,2 * * * *",
)


@pytest.mark.parametrize("text", BAD_CRON_STRINGS)
def test_a_bad_cron_string_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        cron_schedule(text)


def cron_field(lowest: int, highest: int) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(1, highest - lowest).map(lambda every: f"*/{every}")
    return st.one_of(
        st.just("*"), step, st.lists(st.one_of(number.map(str), span), min_size=1, max_size=3).map(",".join)
    )


@pytest.mark.filterwarnings("ignore:Found a cron schedule with an interval")
@given(st.tuples(*(cron_field(*ends) for ends in [(0, 59), (0, 23), (1, 28), (1, 12), (0, 7)])).map(" ".join))
def test_dagster_accepts_every_cron_string_that_is_accepted_here(cron: str) -> None:
    assert cron_schedule(cron) == cron
    ScheduleDefinition(name="any", job_name="any", cron_schedule=cron, execution_timezone="UTC")


@pytest.mark.filterwarnings("ignore:Found a cron schedule with an interval")
@given(st.text(alphabet="0123456789*/-,abjnoufmr ", max_size=20))
def test_nothing_is_accepted_that_dagster_refuses(text: str) -> None:
    try:
        cron = cron_schedule(text)
    except ScheduleError:
        return
    ScheduleDefinition(name="any", job_name="any", cron_schedule=cron, execution_timezone="UTC")
