"""A synced warehouse whose newest day has a track and an artist that are named like markup, and the pages of it."""

import re
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import URL, select

from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.today import TODAY

SCRIPT = "<script>alert(1)</script>"
MARKUP = "</text></svg><script>alert(2)</script> $x^2$"
CHARTS = f"""
defaults:
  track_audience_platforms: [spotify, shazam]
  artist_audience_platforms: [spotify, tiktok]
charts:
  - slug: {SLUG}
    name: "{SCRIPT}"
  - slug: nowhere-28
"""


@dataclass(frozen=True)
class Filled:
    """The newest day, a track that is named like a script, an artist of it."""

    database_url: str
    charts: Path
    day: date
    track: str
    artist: str


def fill(folder: Path) -> Filled:
    """Three rankings, and the cascade of the newest."""
    charts = folder / "charts.yaml"
    charts.write_text(CHARTS)
    url = URL.create("sqlite", database=str(folder / "soundcharts.db")).render_as_string()
    with Simulator(today=TODAY) as simulator, closing(Warehouse(url)) as warehouse:
        ctx = new_context(simulator, warehouse)
        days = last_days(simulator, SLUG, 3)
        sync_rankings(ctx, settings_of_it(), days)
        run_cascade(ctx, settings_of_it(), days[-1:])
        with warehouse.write() as conn:
            r, ta = s.chart_rankings, s.track_artists
            at_top = r.c.chart_slug == SLUG, r.c.rank_date == days[-1]
            both = select(r.c.track_uuid, ta.c.artist_uuid).join(ta, ta.c.track_uuid == r.c.track_uuid)
            track, artist = conn.execute(both.where(*at_top).order_by(r.c.position).limit(1)).one()
            conn.execute(
                s.tracks.update().where(s.tracks.c.uuid == track).values(name=MARKUP, app_url="javascript:alert(3)")
            )
            conn.execute(s.artists.update().where(s.artists.c.uuid == artist).values(name=SCRIPT, biography=SCRIPT))
    return Filled(url, charts, days[-1], track, artist)


def settings_of_it() -> ChartSettings:
    return small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=("spotify",), history_days=30)


def addresses(filled: Filled) -> list[str]:
    return [f"/chart/{SLUG}/", f"/track/{filled.track}/", f"/artist/{filled.artist}/", "/search/?q=script"]


def pictures(filled: Filled) -> list[str]:
    return [
        f"/chart/{SLUG}/ranks.svg",
        f"/chart/{SLUG}/movers.svg",
        f"/chart/{SLUG}/tracks.svg",
        f"/chart/{SLUG}/artists.svg",
        f"/track/{filled.track}/ranks.svg",
        f"/track/{filled.track}/audience/spotify.svg",
        f"/artist/{filled.artist}/audience/spotify.svg",
        f"/artist/{filled.artist}/geography.svg",
    ]


def cells(page: str) -> list[list[str]]:
    """The words of the rows of every table."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [
        [
            " ".join(re.sub(r"<[^>]*>", " ", cell).split())
            for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def path_of(filled: Filled) -> str:
    return filled.database_url.removeprefix("sqlite:///")
