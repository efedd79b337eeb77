"""The addresses of these pages."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from soundcharts_pipeline.admin.access.login import Login
from soundcharts_pipeline.admin.access.root_path import PREFIX
from soundcharts_pipeline.admin.configuration.catalog_pages import CatalogPages
from soundcharts_pipeline.admin.configuration.editor import Editor, Surroundings
from soundcharts_pipeline.admin.configuration.pages import SettingsPages
from soundcharts_pipeline.admin.pages.rendering import Renderer
from soundcharts_pipeline.admin.state.live import Live

Handler = Callable[[Request], Awaitable[Response]]


def configuration_routes(live: Live, *, login: Login, renderer: Renderer, surroundings: Surroundings) -> list[Route]:
    """Every page with its trailing slash and without."""
    editor = Editor(live, surroundings)
    pages = SettingsPages(editor, login, renderer)
    catalog = CatalogPages(editor, pages, login=login, renderer=renderer)
    addresses: list[tuple[str, Handler, list[str]]] = [
        ("/configuration", pages.configuration, ["GET"]),
        ("/chart/{slug}/settings", pages.settings, ["GET", "POST"]),
        ("/chart/{slug}/remove", pages.remove, ["GET", "POST"]),
        ("/charts/add", catalog.search, ["GET"]),
        ("/charts/add/{slug}", catalog.add, ["GET", "POST"]),
        ("/charts/fetch", catalog.fetch, ["POST"]),
        ("/charts/look-up", catalog.look_up, ["POST"]),
    ]
    return [
        Route(PREFIX + path + slash, handler, methods=methods)
        for path, handler, methods in addresses
        for slash in ("/", "")
    ]
