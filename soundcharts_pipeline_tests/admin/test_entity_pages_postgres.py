"""The pages of charts, tracks and artists read PostgreSQL as they read SQLite: the same pages from the same world."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, select, text

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.rankings import sync_rankings
from soundcharts_pipeline_tests.admin.site import serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.command_line import CHARTS
from soundcharts_pipeline_tests.support.helpers import SLUG, last_days, new_context, run_cascade, small_chart
from soundcharts_pipeline_tests.support.postgres import url_of
from soundcharts_pipeline_tests.support.today import TODAY

Visitors = dict[str, Visitor]


@pytest.fixture(scope="module")
def entities() -> dict[str, str]:
    """UUIDs of the track at the top and of an artist of it; filled by `visitors`."""
    return {}


@pytest.fixture(scope="module")
def visitors(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Path, entities: dict[str, str]
) -> Iterator[Visitors]:
    """Somebody on the pages over each kind of database; both hold the same two days of one chart."""
    folder = tmp_path_factory.mktemp("entities")
    charts = folder / "charts.yaml"
    charts.write_text(CHARTS)
    administrator = create_engine(url_of(postgres_server, "postgres"), isolation_level="AUTOCOMMIT")
    with administrator.connect() as conn:
        conn.execute(text("CREATE DATABASE entity_pages"))
    urls = {
        "sqlite": URL.create("sqlite", database=str(folder / "soundcharts.db")),
        "postgresql": url_of(postgres_server, "entity_pages"),
    }
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(today=TODAY))
        visitors = {}
        for kind, url in urls.items():
            entities |= filled(simulator, url.render_as_string())
            client = stack.enter_context(serving(charts, url.render_as_string()))
            visitors[kind] = stack.enter_context(visiting(client.url))
        yield visitors
    with administrator.connect() as conn:
        conn.execute(text("DROP DATABASE entity_pages WITH (FORCE)"))
    administrator.dispose()


def filled(simulator: Simulator, url: str) -> dict[str, str]:
    chart = small_chart(track_audience_platforms=("spotify",), artist_audience_platforms=("spotify",), history_days=30)
    with closing(Warehouse(url)) as warehouse:
        ctx = new_context(simulator, warehouse)
        days = last_days(simulator, SLUG, 2)
        sync_rankings(ctx, chart, days)
        run_cascade(ctx, chart, days[-1:])
        with warehouse.read() as conn:
            r, ta = s.chart_rankings, s.track_artists
            both = select(r.c.track_uuid, ta.c.artist_uuid).join(ta, ta.c.track_uuid == r.c.track_uuid)
            found = conn.execute(both.where(r.c.rank_date == days[-1]).order_by(r.c.position, ta.c.artist_uuid)).first()
    assert found is not None
    return {"track": found.track_uuid, "artist": found.artist_uuid}


@pytest.mark.parametrize(
    "address",
    [
        f"/chart/{SLUG}/",
        f"/chart/{SLUG}/ranks.svg",
        "/track/{track}/",
        "/track/{track}/ranks.svg",
        "/track/{track}/audience/spotify.svg",
        "/artist/{artist}/",
        "/artist/{artist}/audience/spotify.svg",
        "/search/?q=a",
        "/search/?q=%25",
    ],
)
def test_a_page_says_the_same_of_both_databases(visitors: Visitors, entities: dict[str, str], address: str) -> None:
    answers = {kind: visitor.get(address.format(**entities)) for kind, visitor in visitors.items()}

    assert {kind: answer.status_code for kind, answer in answers.items()} == dict.fromkeys(visitors, 200)
    assert shown(answers["postgresql"].text) == shown(answers["sqlite"].text)


def test_what_is_not_there_is_a_page_too(visitors: Visitors) -> None:
    for address in ("/track/nope/", "/artist/nope/audience/spotify.svg", "/track/%00/"):
        answers = [visitor.get(address) for visitor in visitors.values()]
        assert [answer.status_code for answer in answers] == [404, 404], address
        assert shown(answers[0].text) == shown(answers[1].text)


def shown(page: str) -> str:
    """Without the word that each session has for its forms."""
    return re.sub(r'value="[0-9a-f]{64}"', "", page)
