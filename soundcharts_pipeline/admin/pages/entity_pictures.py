"""The pictures on the pages of charts, tracks and artists: the drawings of a run's metadata, wide or narrow."""

from collections.abc import Callable

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from soundcharts_pipeline.admin.access.login import Login
from soundcharts_pipeline.admin.internal_api.trigger import chart_of
from soundcharts_pipeline.admin.pages import entity_views as views
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.admin.state.reading import read
from soundcharts_pipeline.config.settings import ChartSettings
from soundcharts_pipeline.reports.pictures import drawings
from soundcharts_pipeline.reports.pictures.canvas import NARROW, WIDE, platform_name
from soundcharts_pipeline.reports.pictures.drawings import Drawing
from soundcharts_pipeline.storage.queries import lines, profiles
from soundcharts_pipeline.storage.queries.geography import located
from soundcharts_pipeline.storage.queries.rankings import chart_ranking, ranking_days
from soundcharts_pipeline.storage.queries.series import Entity, platform_audience
from soundcharts_pipeline.wording import uuid_named

# The style within a picture is its own; a picture needs nothing else.
PICTURE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
# Charts in the figure of a track's positions.
MOST_LINES = 10
NOTHING = "no ranking of it, or no value of its tracks, is stored"


class EntityPictures:
    """Handlers. Each asks for a session first; what there is nothing to draw of is a 404. With `?narrow` for a
    phone."""

    def __init__(self, live: Live, login: Login) -> None:
        self._live, self._login = live, login

    async def chart_ranks(self, request: Request) -> Response:
        """The race of a chart's top tracks."""

        def drawing(conn: Connection, chart: ChartSettings) -> Drawing | None:
            days = ranking_days(conn, chart.slug, 1)
            return drawings.rank_race(chart.name, lines.rank_lines(conn, chart.slug, days[0])) if days else None

        return await self._of_chart(request, drawing)

    async def chart_movers(self, request: Request) -> Response:
        """Who moved in a chart's newest ranking."""

        def drawing(conn: Connection, chart: ChartSettings) -> Drawing | None:
            return drawings.top_movers(f"{chart.name}: movers", chart_ranking(conn, chart.slug))

        return await self._of_chart(request, drawing)

    async def chart_tracks(self, request: Request) -> Response:
        """The series of a chart's best placed tracks."""
        return await self._table(request, "track")

    async def chart_artists(self, request: Request) -> Response:
        """The series of a chart's best placed artists."""
        return await self._table(request, "artist")

    async def track_ranks(self, request: Request) -> Response:
        """A track's positions on its charts."""
        charts = self._live.settings.charts

        def drawing(conn: Connection) -> Drawing | None:
            page = profiles.track_page(conn, uuid_named(request.path_params["uuid"]))
            runs = page.charts[:MOST_LINES] if page else ()
            return drawings.rank_race(page.track.name if page else "", views.chart_lines(charts, runs))

        return await self._picture(request, drawing, "no ranking of it is stored")

    async def track_audience(self, request: Request) -> Response:
        """A track's series on one platform."""
        return await self._audience(request, "track")

    async def artist_audience(self, request: Request) -> Response:
        """An artist's series on one platform."""
        return await self._audience(request, "artist")

    async def artist_geography(self, request: Request) -> Response:
        """Where an artist's audience is."""
        uuid = uuid_named(request.path_params["uuid"])

        def drawing(conn: Connection) -> Drawing | None:
            found = located(conn, uuid)
            return drawings.places(f"Where the audience of {found[0].artist} is", found) if found else None

        return await self._picture(request, drawing, "no places of this artist are stored")

    async def _table(self, request: Request, entity: Entity) -> Response:
        def drawing(conn: Connection, chart: ChartSettings) -> Drawing | None:
            days = ranking_days(conn, chart.slug, 1)
            if not days:
                return None
            found = lines.audience_lines(conn, chart.slug, days[0], entity, days=drawings.TABLE_DAYS)
            return drawings.sparklines(f"{chart.name}: top {entity}s by platform", found)

        return await self._of_chart(request, drawing)

    async def _of_chart(
        self, request: Request, drawing: Callable[[Connection, ChartSettings], Drawing | None]
    ) -> Response:
        self._login.require(request)
        chart = chart_of(self._live.settings, request.path_params["slug"])
        return await self._picture(request, lambda conn: drawing(conn, chart), NOTHING)

    async def _audience(self, request: Request, entity: Entity) -> Response:
        uuid, platform = uuid_named(request.path_params["uuid"]), request.path_params["platform"]

        def drawing(conn: Connection) -> Drawing | None:
            title = f"{profiles.name_of(conn, entity, uuid) or uuid} on {platform_name(platform)}"
            found = platform_audience(conn, entity, uuid, platform)
            return drawings.series(title, [(views.unit_of(entity, one.metric), views.lines_of(one)) for one in found])

        return await self._picture(request, drawing, f"nothing of this {entity} on {platform} is stored")

    async def _picture(
        self, request: Request, drawing: Callable[[Connection], Drawing | None], otherwise: str
    ) -> Response:
        """Drawn in a thread, when the database is free again."""
        self._login.require(request)
        found = await read(self._live, drawing)
        if found is None:
            raise HttpRefusal(404, otherwise, "see its page for what is")
        drawn = await run_in_threadpool(found.draw, NARROW if "narrow" in request.query_params else WIDE)
        return Response(drawn, headers=PICTURE_HEADERS, media_type="image/svg+xml")
