"""The pages of one chart, one track and one artist, their figures, and the search."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from soundcharts_pipeline.admin import entity_views as views
from soundcharts_pipeline.admin.answers import Refused
from soundcharts_pipeline.admin.api import PREFIX
from soundcharts_pipeline.admin.live import Live
from soundcharts_pipeline.admin.login import Login
from soundcharts_pipeline.admin.rendering import Renderer
from soundcharts_pipeline.admin.trigger import chart_of
from soundcharts_pipeline.sparklines import sparkline
from soundcharts_pipeline.storage import dashboards, profiles
from soundcharts_pipeline.storage.dashboards import ChartRanking, ChartRun, Hit
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.storage.profiles import ArtistPage, TrackPage
from soundcharts_pipeline.storage.series import Entity, Points, Series, audience_of, platform_audience

Found = TypeVar("Found")
Handler = Callable[[Request], Awaitable[Response]]

# The style within a picture is its own; a picture needs nothing else.
PICTURE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
# Charts in the figure of a track's positions.
MOST_LINES = 10
LONGEST_QUERY = 100


def entity_routes(live: Live, login: Login, renderer: Renderer) -> list[Route]:
    """Every page with its trailing slash and without, and the figures."""
    pages = EntityPages(live, login, renderer)
    addresses: list[tuple[str, Handler]] = [
        ("/search", pages.search),
        ("/chart/{slug}", pages.chart),
        ("/track/{uuid}", pages.track),
        ("/artist/{uuid}", pages.artist),
    ]
    figures: list[tuple[str, Handler]] = [
        ("/chart/{slug}/ranks.svg", pages.chart_ranks),
        ("/track/{uuid}/ranks.svg", pages.track_ranks),
        ("/track/{uuid}/audience/{platform}.svg", pages.track_audience),
        ("/artist/{uuid}/audience/{platform}.svg", pages.artist_audience),
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

        def read(conn: Connection) -> tuple[ChartRanking | None, list[ChartRun]]:
            return dashboards.newest_chart_ranking(conn, chart.slug), dashboards.rank_race(conn, chart.slug)

        ranking, race = await self._read(read)
        return self._renderer.page(
            request,
            "chart.html",
            chart=chart,
            health=self._live.snapshot.charts.get(chart.slug),
            problems=self._live.snapshot.problems,
            ranking=ranking,
            race=race,
            numbers=views.positions([run.track_name for run in race], race),
        )

    async def track(self, request: Request) -> Response:
        """A track: metadata, audience, charts."""
        self._login.require(request)
        uuid, platforms = request.path_params["uuid"], self._live.settings.track_platforms

        def read(conn: Connection) -> tuple[TrackPage | None, list[Series]]:
            return profiles.track_page(conn, uuid), audience_of(conn, "track", uuid, platforms)

        page, audience = await self._read(read)
        if page is None:
            raise _unknown("track", uuid)
        drawn = page.charts[:MOST_LINES]
        return self._renderer.page(
            request,
            "track.html",
            page=page,
            facts=views.track_facts(page),
            link=views.web_address(page.track.app_url),
            platforms=views.platform_views("track", audience),
            **self._runs(page.charts),
            numbers=views.positions([self._chart_name(run) for run in drawn], drawn),
        )

    async def artist(self, request: Request) -> Response:
        """An artist: metadata, audience, the tracks on charts."""
        self._login.require(request)
        uuid, platforms = request.path_params["uuid"], self._live.settings.artist_platforms

        def read(conn: Connection) -> tuple[ArtistPage | None, list[Series]]:
            return profiles.artist_page(conn, uuid), audience_of(conn, "artist", uuid, platforms)

        page, audience = await self._read(read)
        if page is None:
            raise _unknown("artist", uuid)
        return self._renderer.page(
            request,
            "artist.html",
            page=page,
            facts=views.artist_facts(page),
            link=views.web_address(page.artist.app_url),
            platforms=views.platform_views("artist", audience),
            **self._runs(page.charts),
        )

    async def search(self, request: Request) -> Response:
        """Tracks and artists by name."""
        self._login.require(request)
        text = " ".join(request.query_params.get("q", "")[:LONGEST_QUERY].replace("\0", " ").split())

        def read(conn: Connection) -> tuple[list[Hit], list[Hit]]:
            return dashboards.find_tracks(conn, text), dashboards.find_artists(conn, text)

        tracks, artists = await self._read(read) if text else ([], [])
        most = dashboards.MOST_FOUND
        return self._renderer.page(request, "search.html", text=text, tracks=tracks, artists=artists, most=most)

    async def chart_ranks(self, request: Request) -> Response:
        """The race of a chart's top tracks."""
        self._login.require(request)
        chart = chart_of(self._live.settings, request.path_params["slug"])
        race = await self._read(lambda conn: dashboards.rank_race(conn, chart.slug))
        return await self._ranks(request, chart.name, [(run.track_name, run.points) for run in race])

    async def track_ranks(self, request: Request) -> Response:
        """A track's positions on its charts."""
        self._login.require(request)
        page = await self._read(lambda conn: profiles.track_page(conn, request.path_params["uuid"]))
        runs = page.charts[:MOST_LINES] if page else ()
        name = page.track.name if page else ""
        return await self._ranks(request, name, [(self._chart_name(run), run.points) for run in runs])

    async def track_audience(self, request: Request) -> Response:
        """A track's series on one platform."""
        return await self._audience(request, "track")

    async def artist_audience(self, request: Request) -> Response:
        """An artist's series on one platform."""
        return await self._audience(request, "artist")

    async def _audience(self, request: Request, entity: Entity) -> Response:
        self._login.require(request)
        uuid, platform = request.path_params["uuid"], request.path_params["platform"]

        def read(conn: Connection) -> tuple[str | None, list[Series]]:
            return profiles.name_of(conn, entity, uuid), platform_audience(conn, entity, uuid, platform)

        name, found = await self._read(read)
        if not found:
            raise Refused(404, f"nothing of this {entity} on {platform} is stored", f"see the page of the {entity}")
        panels = [(views.unit_of(entity, one.metric), views.lines_of(one)) for one in found]

        def draw(width: int) -> str:
            from soundcharts_pipeline import figures

            shown = [figures.Panel(unit, [figures.Line(*line) for line in lines]) for unit, lines in panels]
            title = f"{name or uuid} on {views.platform_name(platform)}"
            return figures.series_figure(title, shown, width=width)

        return await _picture(request, draw)

    async def _ranks(self, request: Request, title: str, lines: Sequence[tuple[str, Points]]) -> Response:
        if not lines:
            raise Refused(404, "no ranking of it is stored", "see its page for what is")

        def draw(width: int) -> str:
            from soundcharts_pipeline import figures

            return figures.rank_figure(title, [figures.Line(*line) for line in lines], width=width)

        return await _picture(request, draw)

    async def _read(self, query: Callable[[Connection], Found]) -> Found:
        def run() -> Found:
            with self._live.warehouse.read() as conn:
                return query(conn)

        try:
            return await run_in_threadpool(run)
        except StorageError as error:
            raise Refused(503, "the database does not answer", f"{error}. Then load this page again") from None

    def _chart_name(self, run: ChartRun) -> str:
        """As charts.yaml calls it; Soundcharts' own name of one that is not in it."""
        known = self._live.settings.charts.get(run.chart_slug)
        return known.name if known else run.chart_name

    def _runs(self, runs: Sequence[ChartRun]) -> dict[str, Any]:
        """The runs with their little lines; `pages` are names of the charts that have a page, by slug."""
        charts = self._live.settings.charts
        lines = [Markup(sparkline(run.points, first_on_top=True)) for run in runs]  # noqa: S704  # of numbers
        return {
            "runs": list(zip(runs, lines, strict=True)),
            "pages": {slug: chart.name for slug, chart in charts.items()},
        }


def _unknown(entity: Entity, uuid: str) -> Refused:
    remedy = "search for its name, or open it from the ranking of a chart"
    return Refused(404, f"no {entity} {uuid[:60]} is stored", remedy)


async def _picture(request: Request, draw: Callable[[int], str]) -> Response:
    """Drawn in a thread. With `?narrow` for a phone."""
    narrow = "narrow" in request.query_params

    def run() -> str:
        # Matplotlib takes a second to import: only the first figure waits for it.
        from soundcharts_pipeline.figures import NARROW, WIDE

        return draw(NARROW if narrow else WIDE)

    return Response(await run_in_threadpool(run), headers=PICTURE_HEADERS, media_type="image/svg+xml")
