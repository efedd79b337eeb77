"""Track metadata, and track audience per platform."""

from soundcharts_pipeline.assets.pictures import audience_pictures
from soundcharts_pipeline.assets.step import Stage
from soundcharts_pipeline.cascade import RANKINGS, TRACK_METADATA, track_audience_key
from soundcharts_pipeline.checks import TRACK_CHECKS, audience_checks
from soundcharts_pipeline.models import TRACK_METRICS
from soundcharts_pipeline.storage import schema, summaries
from soundcharts_pipeline.sync.audience import sync_track_audience
from soundcharts_pipeline.sync.metadata import sync_track_metadata


def track_metadata_stage() -> Stage:
    """`track_metadata`."""
    return Stage(
        key=TRACK_METADATA,
        group="tracks",
        kinds=frozenset({"soundcharts", "sql"}),
        description=(
            "One row is one track. A partition holds the metadata of every track ranked on its chart-day, with its "
            "artists (roles main, featured, credited) and genres.\n\n"
            "Source: `/song/{uuid,...}`, one call per ten tracks that are new or older than `metadata_refresh_days`."
        ),
        deps=[RANKINGS],
        table=schema.tracks,
        lineage={"uuid": (RANKINGS, "track_uuid")},
        sync=sync_track_metadata,
        rows=lambda conn, days, chart: summaries.track_rows(conn, days),  # noqa: ARG005
        preview=summaries.track_preview,
        checks=TRACK_CHECKS,
    )


def track_audience_stage(platform: str) -> Stage:
    """`track_audience/{platform}`."""
    metric = TRACK_METRICS[platform]
    source = (
        "`/song/{uuid}/broadcasts`, one call per track and day"
        if platform == "airplay"
        else f"`/song/{{uuid}}/audience/{platform}`, one call per track and 90 days not known yet"
    )
    return Stage(
        key=track_audience_key(platform),
        group="tracks",
        kinds=frozenset({"soundcharts", "sql", platform}),
        description=(
            f"One row is one track, metric (`{metric}`), {platform} identifier and day. A partition holds the series "
            "of every track ranked on its chart-day or at most `follow_days` before, over the `history_days` that end "
            f"on it.\n\nSource: {source}."
        ),
        deps=[RANKINGS, TRACK_METADATA],
        table=schema.track_audience,
        lineage={"track_uuid": (RANKINGS, "track_uuid")},
        sync=lambda ctx, chart, days: sync_track_audience(ctx, chart, days, platform),
        rows=lambda conn, days, chart: summaries.audience_rows(
            conn, days, "track", platform, 1 if platform == "airplay" else chart.history_days
        ),
        preview=lambda conn, slug, day: summaries.audience_preview(conn, slug, day, "track", platform),
        pictures=lambda conn, slug, day: audience_pictures(conn, slug, day, "track", platform),
        checks=audience_checks("track", platform),
    )
