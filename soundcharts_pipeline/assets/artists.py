"""Artist metadata, and artist audience per platform."""

from soundcharts_pipeline.assets.pictures import audience_pictures
from soundcharts_pipeline.assets.step import Stage
from soundcharts_pipeline.cascade import ARTIST_METADATA, TRACK_METADATA, artist_audience_key
from soundcharts_pipeline.checks import ARTIST_CHECKS, audience_checks
from soundcharts_pipeline.models import artist_metrics
from soundcharts_pipeline.storage import schema, summaries
from soundcharts_pipeline.sync.audience import sync_artist_audience
from soundcharts_pipeline.sync.metadata import sync_artist_metadata


def artist_metadata_stage() -> Stage:
    """`artist_metadata`."""
    return Stage(
        key=ARTIST_METADATA,
        group="artists",
        kinds=frozenset({"soundcharts", "sql"}),
        description=(
            "One row is one artist. A partition holds the metadata of every artist of the tracks ranked on its "
            "chart-day, with genres.\n\n"
            "Source: `/artist/{uuid,...}`, one call per ten artists that are new or older than "
            "`metadata_refresh_days`."
        ),
        deps=[TRACK_METADATA],
        table=schema.artists,
        # Credits are rows of track_artists, which track_metadata fills: its own table has no artist column.
        lineage={"uuid": (TRACK_METADATA, "uuid")},
        sync=sync_artist_metadata,
        rows=lambda conn, days, chart: summaries.artist_rows(conn, days),  # noqa: ARG005
        preview=summaries.artist_preview,
        checks=ARTIST_CHECKS,
    )


def artist_audience_stage(platform: str) -> Stage:
    """`artist_audience/{platform}`."""
    metrics = artist_metrics(platform)
    return Stage(
        key=artist_audience_key(platform),
        group="artists",
        kinds=frozenset({"soundcharts", "sql", platform}),
        description=(
            f"One row is one artist, metric ({', '.join(f'`{metric}`' for metric in metrics)}) and day. A partition "
            "holds the series of every artist with a track ranked on its chart-day or at most `follow_days` before, "
            "over the `history_days` that end on it; cities and countries go to artist_audience_geo.\n\n"
            f"Source: {len(metrics)} call{'s' if len(metrics) > 1 else ''} per artist and 90 days not known yet."
        ),
        deps=[ARTIST_METADATA],
        table=schema.artist_audience,
        lineage={"artist_uuid": (ARTIST_METADATA, "uuid")},
        sync=lambda ctx, chart, days: sync_artist_audience(ctx, chart, days, platform),
        rows=lambda conn, days, chart: summaries.audience_rows(conn, days, "artist", platform, chart.history_days),
        preview=lambda conn, slug, day: summaries.audience_preview(conn, slug, day, "artist", platform),
        pictures=lambda conn, slug, day: audience_pictures(conn, slug, day, "artist", platform),
        checks=audience_checks("artist", platform),
    )
