"""A song has several identifiers on a platform, which report on different days."""

from datetime import date, timedelta
from typing import Any

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.helpers import last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.truth import stored

LATE = "late"
LAG = timedelta(days=9)


def test_the_late_points_of_one_identifier_are_not_lost_behind_those_of_another(
    simulator: Simulator, warehouse: Warehouse
) -> None:
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=())
    start = simulator.world.today
    known_until: list[date] = []

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        """Every song has one more identifier, whose points are out until that day."""
        if "/audience/" in path and status == 200:
            for item in body["items"]:
                if item.get("plots") and item["date"][:10] <= known_until[-1].isoformat():
                    item["plots"].append({"identifier": LATE, "value": item["plots"][0]["value"]})
        return status, body

    with altered(simulator.url, change) as url:
        for number, last in enumerate((start - LAG, start - LAG, date.max)):
            known_until.append(last)
            simulator.set(today=str(start + timedelta(days=number)))
            ctx = new_context(simulator, warehouse, url=url)
            run_cascade(ctx, chart, last_days(simulator, chart.slug, 1))

    points = stored(warehouse)["track_audience"]
    late = {(row[0], row[4]) for row in points if row[3] == LATE}
    assert late
    assert late == {(row[0], row[4]) for row in points}
