"""A chart-day with odd names, synced from the simulator once, and its workbook."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from soundcharts_pipeline.analysis.trends import chart_trends, save_trends
from soundcharts_pipeline.orchestration.assets.chart_report import expected_series
from soundcharts_pipeline.reports.workbook.lines import chart_lines
from soundcharts_pipeline.reports.workbook.report import Report
from soundcharts_pipeline.reports.workbook.workbook import write_workbook
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries.chart_day import read_chart_day
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.reports.odd_names import oddly_named
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY

MADE = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
NAME = "R&B =Viral 50"
HISTORY_DAYS = 14


@dataclass(frozen=True, slots=True)
class Made:
    """The workbook, the rows that its writer counted, and what it was made of."""

    path: Path
    rows: dict[str, int]
    report: Report
    warehouse: Warehouse

    @property
    def day(self) -> date:
        return self.report.of.day


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The newest of three days of fifty places, two platforms of tracks and two of artists."""
    folder = tmp_path_factory.mktemp("workbook")
    chart = small_chart(history_days=HISTORY_DAYS)
    with (
        Simulator(today=TODAY, slow=0.05) as simulator,
        altered(simulator.url, oddly_named) as url,
        closing(Warehouse(f"sqlite:///{folder / 'soundcharts.db'}")) as warehouse,
    ):
        days = last_days(simulator, SLUG, 3)
        run_cascade(new_context(simulator, warehouse, url=url), chart, days)
        with warehouse.read() as conn:
            trends = chart_trends(conn, SLUG, days[-1])
        with warehouse.write() as conn:
            save_trends(conn, SLUG, days[-1], trends)
        with warehouse.read() as conn:
            of = read_chart_day(conn, SLUG, days[-1], history_days=HISTORY_DAYS)
            lines = chart_lines(conn, of)
        report = Report(
            name=NAME,
            of=of,
            lines=lines,
            expected=expected_series(chart),
            left_out={"track_audience/youtube": "youtube is not in track_audience_platforms"},
            made=MADE,
        )
        path = folder / "reports" / f"{SLUG}_{days[-1]}.xlsx"
        yield Made(path, write_workbook(path, report), report, warehouse)
