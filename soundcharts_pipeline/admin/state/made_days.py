"""Days that are stored, and of which no run is known here: whether Dagster has them is asked once of each."""

from collections.abc import Mapping
from datetime import date, timedelta

from soundcharts_pipeline.admin.state.dagster_client import Dagster
from soundcharts_pipeline.admin.state.run_book import RunBook
from soundcharts_pipeline.config.settings import Settings
from soundcharts_pipeline.monitoring.health import STRIP_DAYS
from soundcharts_pipeline.monitoring.unseen_days import unseen_days
from soundcharts_pipeline.orchestration.partitions import parse_key, partition_key
from soundcharts_pipeline.storage.queries.chart_states import ChartState


class MadeDays:
    """`look` is for one thread, what it found for any. What is not materialised now will be by a run, which is seen."""

    def __init__(self) -> None:
        self._made: dict[str, frozenset[date]] = {}
        self._asked: dict[str, set[date]] = {}

    def of(self, slug: str) -> frozenset[date]:
        """Of the chart."""
        return self._made.get(slug, frozenset())

    def look(
        self, dagster: Dagster, settings: Settings, states: Mapping[str, ChartState], runs: RunBook, today: date
    ) -> None:
        """Ask about the days that were not asked about yet. Raises DagsterUnreachable."""
        since = today - timedelta(days=STRIP_DAYS)
        known = {slug: runs.days_of(slug, since) | self._asked.get(slug, set()) for slug in settings.slugs}
        for asset, of_charts in unseen_days(settings, states, known).items():
            keys = [partition_key(slug, day) for slug, days in of_charts.items() for day in days]
            found: dict[str, set[date]] = {}
            for slug, day in map(parse_key, dagster.materialized(asset, keys)):
                found.setdefault(slug, set()).add(day)
            for slug, days in of_charts.items():
                self._asked.setdefault(slug, set()).update(days)
                self._made[slug] = self.of(slug) | found.get(slug, set())
