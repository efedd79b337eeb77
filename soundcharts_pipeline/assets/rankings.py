"""Chart rankings: the root of the cascade."""

from soundcharts_pipeline.assets.pictures import ranking_pictures
from soundcharts_pipeline.assets.step import Stage
from soundcharts_pipeline.cascade import RANKINGS
from soundcharts_pipeline.checks import RANKING_CHECKS
from soundcharts_pipeline.freshness import newest_saved
from soundcharts_pipeline.storage import schema, summaries
from soundcharts_pipeline.sync.rankings import sync_rankings


def ranking_stage() -> Stage:
    """`chart_rankings`."""
    return Stage(
        key=RANKINGS,
        group="charts",
        kinds=frozenset({"soundcharts", "sql"}),
        description=(
            "One row is one position of one chart on one day, as published by Soundcharts. A partition is the whole "
            "ranking of its chart-day, saved as one slice; a day without a ranking holds no rows. Tracks that appear "
            "for the first time come into being here.\n\n"
            "Source: `/chart/song/{slug}/ranking/{datetime}`, one call per 100 places."
        ),
        deps=[],
        table=schema.chart_rankings,
        lineage={},
        sync=sync_rankings,
        rows=lambda conn, days, chart: summaries.ranking_rows(conn, days),  # noqa: ARG005
        preview=summaries.ranking_preview,
        pictures=ranking_pictures,
        checks=RANKING_CHECKS,
        announce=newest_saved,
    )
