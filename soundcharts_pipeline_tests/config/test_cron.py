"""What a user may write as a schedule; whatever is accepted, Dagster accepts too, and how long its ticks are apart."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from dagster import ScheduleDefinition
from dagster._utils.schedules import cron_string_iterator, is_valid_cron_string
from hypothesis import given, settings
from hypothesis import strategies as st

from soundcharts_pipeline.config.cron import PLAIN, WARN_AFTER_GAPS, ScheduleError, cron_schedule, in_words, longest_gap


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
    "*/0 * * * *",
    "r r * * *",
    "h h * * *",
    "0 2 31 2 mon",
    "a * * * *",
    "1- * * * *",
    "1,,2 * * * *",
)


@pytest.mark.parametrize("text", BAD_CRON_STRINGS)
def test_a_bad_cron_string_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        cron_schedule(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 25 * * *", "hour '25' is not within 0 to 23"),
        ("0 2 * * mo", "day of week 'mo' is not understood; it is within 0 to 7"),
        ("0 2 30 2 *", "it never fires: month '2' has no day '30'"),
        ("0 2 31 4,6 *", "it never fires: month '4,6' has no day '31'"),
        ("r 2 * * *", "minute 'r' is not understood"),
    ],
)
def test_what_is_wrong_with_a_cron_string_is_named(text: str, said: str) -> None:
    with pytest.raises(ScheduleError, match=f"^{said}"):
        cron_schedule(text)


@pytest.mark.parametrize(
    ("cron", "zone", "days"),
    [
        ("0 2 * * *", "UTC", 1),
        ("0 2 * * 1-5", "UTC", 3),
        ("0 2 * * 6,0", "UTC", 6),
        ("0 2 * * 1,4", "UTC", 4),
        ("0 2 * * 1", "UTC", 7),
        ("0 2 */2 * *", "UTC", 2),
        ("0 2 1 * *", "UTC", 31),
        ("0 2 31 * *", "UTC", 61),
        ("0 2 l * *", "UTC", 31),
        ("0 2 1 1 *", "UTC", 366),
        ("0 2 29 2 *", "UTC", 4 * 365 + 1),
        ("0 2 * 1,3-12 *", "UTC", 30),
        ("0 */6 * * *", "Europe/Paris", 0.25),
        ("*/20 * * * *", "Europe/Paris", 20 / 1440),
        ("* * 1 1 *", "UTC", 365 + 1 / 1440),
        ("0 2,22 * * 1", "UTC", 7 - 20 / 24),
        # A day of the clocks' going back has 25 hours.
        ("0 2 * * *", "Europe/Paris", 25 / 24),
        ("0 2 * * 1-5", "America/New_York", 3 + 1 / 24),
    ],
)
def test_the_longest_gap_of_a_schedule(cron: str, zone: str, days: float) -> None:
    assert longest_gap(cron, zone) == timedelta(days=days)


def test_plain_schedules_need_no_dagster() -> None:
    """It takes a second to load, and every command reads the charts file."""
    program = (
        "import sys; from soundcharts_pipeline.config.cron import cron_schedule; "
        "[cron_schedule(c) for c in ('0 2 * * *', '30 */6 * * *', 'weekly on monday at 06:00', '0 4 1,15 * *', "
        "'0 2 * * 1-5', '0 2 */2 * *', '0 8,20 * * 1,4')]; "
        "print('dagster' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


@given(st.from_regex(PLAIN, fullmatch=True))
def test_what_is_right_on_its_face_is_right_for_dagster(cron: str) -> None:
    assert is_valid_cron_string(cron)
    assert next(cron_string_iterator(datetime(2026, 1, 1, tzinfo=UTC).timestamp(), cron, "UTC"))


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


@pytest.mark.filterwarnings("ignore:Found a cron schedule with an interval")
@given(st.text(alphabet="0123456789*/-,labjnoufmrt#?", max_size=6), st.integers(0, 4))
def test_nothing_is_refused_that_dagster_fires(text: str, place: int) -> None:
    fields = ["0", "2", "*", "*", "*"]
    fields[place] = text
    cron = " ".join(fields)
    if text.strip() and is_valid_cron_string(cron) and not text.startswith("r"):
        try:
            next(cron_string_iterator(datetime(2026, 1, 1, tzinfo=UTC).timestamp(), cron, "UTC"))
        except ValueError:  # no such day
            return
        assert cron_schedule(cron) == cron


some_crons = st.tuples(*(cron_field(*ends) for ends in [(0, 59), (0, 23), (1, 28), (1, 12), (0, 7)])).map(" ".join)


@settings(max_examples=25)
@given(
    some_crons, st.sampled_from(["UTC", "Europe/Paris", "America/Sao_Paulo", "Asia/Kathmandu"]), st.integers(0, 3000)
)
def test_no_schedule_that_keeps_to_its_plan_is_late(cron: str, zone: str, days: int) -> None:
    began = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days)
    ticks = islice(cron_string_iterator(began.timestamp(), cron, zone), 40)
    gaps = [after.astimezone(UTC) - before.astimezone(UTC) for before, after in pairwise(ticks)]
    assert max(gaps) <= WARN_AFTER_GAPS * longest_gap(cron, zone)
