"""The pages of one chart, one track and one artist, and the search."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from soundcharts_pipeline.admin.access.login import Login
from soundcharts_pipeline.admin.access.root_path import PREFIX
from soundcharts_pipeline.admin.configuration.editor import EFFECT
from soundcharts_pipeline.admin.internal_api.trigger import chart_of
from soundcharts_pipeline.admin.pages import entity_views as views
from soundcharts_pipeline.admin.pages.entity_pictures import MOST_LINES, EntityPictures
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.admin.state.live import Live
from soundcharts_pipeline.admin.state.reading import read
from soundcharts_pipeline.reports.pictures.drawings import TABLE_DAYS, how_partial
from soundcharts_pipeline.reports.pictures.sparklines import sparkline
from soundcharts_pipeline.storage.queries import chart_runs as dashboards
from soundcharts_pipeline.storage.queries import lines, profiles
from soundcharts_pipeline.storage.queries.chart_runs import ChartRun, Hit
from soundcharts_pipeline.storage.queries.geography import Located, located
from soundcharts_pipeline.storage.queries.profiles import ArtistPage, TrackPage
from soundcharts_pipeline.storage.queries.rankings import ChartRanking, chart_ranking
from soundcharts_pipeline.storage.queries.series import Entity, StoredSeries, audience_of
from soundcharts_pipeline.wording import uuid_named

Handler = Callable[[Request], Awaitable[Response]]

LONGEST_QUERY = 100
ENTITIES: tuple[Entity, ...] = ("track", "artist")


def entity_routes(live: Live, login: Login, renderer: Renderer) -> list[Route]:
    """Every page with its trailing slash and without, and the figures."""
    pages, pictures = EntityPages(live, login, renderer), EntityPictures(live, login)
    addresses: list[tuple[str, Handler]] = [
        ("/search", pages.search),
        ("/chart/{slug}", pages.chart),
        ("/track/{uuid}", pages.track),
        ("/artist/{uuid}", pages.artist),
    ]
    figures: list[tuple[str, Handler]] = [
        ("/chart/{slug}/ranks.svg", pictures.chart_ranks),
        ("/chart/{slug}/movers.svg", pictures.chart_movers),
        ("/chart/{slug}/tracks.svg", pictures.chart_tracks),
        ("/chart/{slug}/artists.svg", pictures.chart_artists),
        ("/track/{uuid}/ranks.svg", pictures.track_ranks),
        ("/track/{uuid}/audience/{platform}.svg", pictures.track_audience),
        ("/artist/{uuid}/audience/{platform}.svg", pictures.artist_audience),
        ("/artist/{uuid}/geography.svg", pictures.artist_geography),
    ]
    return [
        *(Route(PREFIX + path + slash, handler) for path, handler in addresses for slash in ("/", "")),
        *(Route(PREFIX + path, handler) for path, handler in figures),
    ]


class EntityPages:
    """Handlers. Each asks for a session first; what the database does not have is a 404, and a database that does not
    answer a 503, with what to do."""

    def __init__(self, live: Live, login: Login, renderer: Renderer) -> None:
        self._live, self._login, self._renderer = live, login, renderer

    async def chart(self, request: Request) -> Response:
        """How a chart is doing, and its newest ranking."""
        self._login.require(request)
        chart = chart_of(self._live.settings, request.path_params["slug"])

        def query(
            conn: Connection,
        ) -> tuple[ChartRanking | None, list[tuple[str, lines.Points]], list[views.AudienceView]]:
            ranking = chart_ranking(conn, chart.slug)
            if ranking is None:
                return None, [], []
            audiences = [
                views.audience_view(
                    entity, lines.audience_lines(conn, chart.slug, ranking.day, entity, days=TABLE_DAYS)
                )
                for entity in ENTITIES
            ]
            shown = [audience for audience in audiences if audience.columns]
            return ranking, lines.rank_lines(conn, chart.slug, ranking.day), shown

        ranking, race, audiences = await read(self._live, query)
        return self._renderer.page(
            request,
            "chart.html",
            chart=chart,
            saved=EFFECT if "saved" in request.query_params else "",
            health=self._live.snapshot.charts.get(chart.slug),
            problems=self._live.snapshot.problems,
            ranking=ranking,
            race=race,
            numbers=views.positions(race),
            audiences=audiences,
        )

    async def track(self, request: Request) -> Response:
        """A track: metadata, audience, charts. Raises HttpRefusal (404) for one that is not stored."""
        self._login.require(request)
        uuid, platforms = uuid_named(request.path_params["uuid"]), self._live.settings.track_platforms

        def query(conn: Connection) -> tuple[TrackPage | None, list[StoredSeries]]:
            return profiles.track_page(conn, uuid), audience_of(conn, "track", uuid, platforms)

        page, audience = await read(self._live, query)
        if page is None:
            raise _unknown("track", uuid)
        drawn, charts = page.charts[:MOST_LINES], self._live.settings.charts
        return self._renderer.page(
            request,
            "track.html",
            page=page,
            facts=views.track_facts(page),
            link=views.web_address(page.track.app_url),
            platforms=views.platform_views("track", audience),
            **self._runs(page.charts),
            numbers=views.positions(views.chart_lines(charts, drawn)),
        )

    async def artist(self, request: Request) -> Response:
        """An artist: metadata, audience, the tracks on charts. Raises HttpRefusal (404) for one that is not stored."""
        self._login.require(request)
        uuid, platforms = uuid_named(request.path_params["uuid"]), self._live.settings.artist_platforms

        def query(conn: Connection) -> tuple[ArtistPage | None, list[StoredSeries], list[Located]]:
            page, audience = profiles.artist_page(conn, uuid), audience_of(conn, "artist", uuid, platforms)
            return page, audience, located(conn, uuid)

        page, audience, places = await read(self._live, query)
        if page is None:
            raise _unknown("artist", uuid)
        return self._renderer.page(
            request,
            "artist.html",
            page=page,
            facts=views.artist_facts(page),
            link=views.web_address(page.artist.app_url),
            platforms=views.platform_views("artist", audience),
            places=views.place_tables(places),
            partial=how_partial(one.metric for one in places),
            **self._runs(page.charts),
        )

    async def search(self, request: Request) -> Response:
        """Tracks and artists by name."""
        self._login.require(request)
        text = " ".join(request.query_params.get("q", "")[:LONGEST_QUERY].replace("\0", " ").split())

        def query(conn: Connection) -> tuple[list[Hit], list[Hit]]:
            return dashboards.find_tracks(conn, text), dashboards.find_artists(conn, text)

        tracks, artists = await read(self._live, query) if text else ([], [])
        most = dashboards.MOST_FOUND
        return self._renderer.page(request, "search.html", text=text, tracks=tracks, artists=artists, most=most)

    def _runs(self, runs: Sequence[ChartRun]) -> dict[str, Any]:
        """The runs with their little lines; `pages` are names of the charts that have a page, by slug."""
        charts = self._live.settings.charts
        lines = [Markup(sparkline(run.points, first_on_top=True)) for run in runs]  # noqa: S704  # of numbers
        return {
            "runs": list(zip(runs, lines, strict=True)),
            "pages": {slug: chart.name for slug, chart in charts.items()},
        }


def _unknown(entity: Entity, uuid: str) -> HttpRefusal:
    remedy = "search for its name, or open it from the ranking of a chart"
    return HttpRefusal(404, f"no {entity} {uuid[:60]} is stored", remedy)
