"""A day is typed as YYYY-MM-DD and in no other form that Python reads, wherever somebody types one."""

import json
from datetime import date

import pytest
import typer

from soundcharts_pipeline.admin.configuration.form import value_of
from soundcharts_pipeline.analysis.asked import day_of
from soundcharts_pipeline.cli.days import as_day
from soundcharts_pipeline.cli.housekeeping import as_month
from soundcharts_pipeline.config.chart_keys import KEYS
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import parse_settings
from soundcharts_pipeline.config.settings import BadUse, SettingsError
from soundcharts_pipeline.orchestration.partitions import is_chart_day
from soundcharts_pipeline.wording import uuid_named

DAY = date(2026, 11, 20)
NO_DAYS = [
    *("2026-W47-7", "2026-W47", "2026W477", "20261120", "2026-11-2", "2026-1-02", " 2026-11-20", "2026-11-20 "),
    *("2026-11-20T00:00", "2026-11-31", "0000-01-01", "2026-11-20\n", "\u0662\u0660\u0662\u0666-11-20", "", "today"),
]
(FIRST_DATE,) = (key for key in KEYS if key.kind == "day")


def _first_date(text: str) -> date:
    charts = f"defaults: {{first_date: {json.dumps(text)}}}\ncharts: [{{slug: a}}]\n"
    return parse_settings(charts, source="charts.yaml").charts["a"].first_date


def test_a_day_is_the_same_wherever_it_is_typed() -> None:
    assert [as_day("2026-11-20"), day_of("2026-11-20"), value_of(FIRST_DATE, "2026-11-20")] == [DAY] * 3
    assert _first_date("2026-11-20") == DAY
    assert is_chart_day("a|2026-11-20")
    assert as_month("2026-11") == date(2026, 11, 1)


@pytest.mark.parametrize("text", NO_DAYS)
def test_what_is_written_otherwise_is_no_day_anywhere(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write it like 2026-11-20"):
        as_day(text)
    with pytest.raises(BadUse, match="write it like 2026-11-20"):
        day_of(text)
    with pytest.raises(SettingsError, match="first_date: YYYY-MM-DD"):
        _first_date(text)
    assert value_of(FIRST_DATE, text) == text
    assert not is_chart_day(f"a|{text}")


@pytest.mark.parametrize("text", ["2026-W4", "2026-W47", "202611", "2026-1", "2026-13", "2026-11 ", "20261", ""])
def test_what_is_written_otherwise_is_no_month(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write it like 2024-03"):
        as_month(text)


@pytest.mark.parametrize("text", ["2026-W47-7T12:00:00Z", "20261120T120000Z", "2026-11-20"])
def test_a_time_begins_with_a_day_too(text: str) -> None:
    assert read_environment({"SOUNDCHARTS_NOW": "2026-11-20T12:00:00Z"}).clock().date() == DAY
    with pytest.raises(SettingsError, match="is not a time with its zone"):
        read_environment({"SOUNDCHARTS_NOW": text})


def test_a_uuid_is_written_in_small_letters_and_nothing_else_is_changed() -> None:
    assert uuid_named("7D534228-5165-11E9-9375-549F35161576") == "7d534228-5165-11e9-9375-549f35161576"
    assert uuid_named("Track-1") == "Track-1"
