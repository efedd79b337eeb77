"""What a command works on: a chart of charts.yaml, and days of it that can be synced. Opens nothing, asks nobody."""

import os
import re
import shlex
import sys
from datetime import date
from pathlib import Path

from soundcharts_pipeline.cli.console import ASKED_ABOUT
from soundcharts_pipeline.clock import last_ranking_day
from soundcharts_pipeline.config.environment import Environment, read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import BadUse, ChartSettings, Settings, SettingsError
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.wording import nearest, program, unseen_in

DAY = re.compile(r"\d{4}-\d\d-\d\d")


def choose_chart(slug: str, first: date | None, last: date | None) -> tuple[Environment, Settings, ChartSettings]:
    """What a command works on. Raises BadUse for an unknown chart, and SettingsError for days that are never synced."""
    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file, environment.clock)
    chart = chart_of(settings, slug, environment.charts_file)
    ASKED_ABOUT.set(Subject(slug, first, last))
    if first and last:
        _check_days(chart, first, last, environment)
    return environment, settings, chart


def chart_of(settings: Settings, slug: str, path: Path) -> ChartSettings:
    """The chart's settings; raises BadUse with the nearest slug, or for a chart-day with the day as an option."""
    if slug not in settings.charts:
        if unseen := unseen_in(slug):
            raise BadUse(f"the chart '{brief(slug)}' holds {unseen}, which nobody sees; write it without")
        name, _, day = slug.partition("|")
        if name in settings.charts and DAY.fullmatch(day):
            raise BadUse(f"'{slug}' is a chart and a day; write `{program()} {_day_for(shlex.quote(name), day)}`")
        near = nearest(slug, settings.slugs)
        listed = f"did you mean '{near}'? Otherwise" if near else f"it holds {', '.join(settings.slugs)};"
        add = f"{program()} charts add {shlex.quote(brief(slug))}"
        raise BadUse(f"{path}: no chart '{brief(slug)}'; {listed} add it with `{add}`")
    return settings.charts[slug]


def _day_for(slug: str, day: str) -> str:
    """The command at work for one day of a chart."""
    typed = sys.argv[1] if len(sys.argv) > 1 else ""
    if typed == "backfill":
        return f"backfill {slug} --from {day} --to {day}"
    return f"{typed if typed in ('sync', 'plan') else 'sync'} {slug} --date {day}"


def _check_days(chart: ChartSettings, first: date, last: date, environment: Environment) -> None:
    """Raise SettingsError for days that are never synced: before the chart's first date, or so far in the future that
    no ranking is dated so."""
    latest = last_ranking_day(environment.clock())
    if first < chart.first_date:
        raise SettingsError(
            f"{chart.slug} is synced since {chart.first_date}; for {first} set an earlier first_date in "
            f"{environment.charts_file}"
        )
    if last > latest:
        raise BadUse(f"{last} is in the future; the last day that can be synced is {latest}")
