"""What the tests of both sensors share: a chart with little below it, and what a tick requested."""

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.partitions import spans_of_tags
from soundcharts_pipeline_tests.support.project import Tick, chart

SLUG = "viral-50-global"
OTHER = "viral-50-in"
CASCADE_SENSOR, HEALING_SENSOR = "cascade_sensor", "healing_sensor"
METADATA = ["chart_rankings", "track_metadata"]


def small(slug: str = SLUG, **changes: object) -> ChartSettings:
    """A chart of two assets below its metadata: enough to be left out or lost."""
    platforms = {"track_audience_platforms": ("airplay",), "artist_audience_platforms": ()}
    return chart(slug, **{**platforms, **changes})


def spans(tick: Tick) -> list[ChartDays]:
    """The days that each request of the tick is for."""
    found = []
    for request in tick.requests:
        [span] = spans_of_tags(request.tags, ())
        assert request.tags["soundcharts/chart"] == span.slug
        found.append(span)
    return found
