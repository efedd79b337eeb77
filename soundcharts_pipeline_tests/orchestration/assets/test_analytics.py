"""What is computed and drawn of a chart-day: trends as the door tells them, pictures of the newest day."""

import base64
from datetime import date
from itertools import count
from xml.etree import ElementTree

import dagster as dg
from sqlalchemy import select

from soundcharts_pipeline.analysis import connect
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.monitoring.facts import chart_facts
from soundcharts_pipeline.orchestration.assets.pictures import (
    Pictures,
    audience_pictures,
    drawn,
    ranking_pictures,
    trend_pictures,
)
from soundcharts_pipeline.reports.pictures.drawings import Drawing
from soundcharts_pipeline.storage.queries import quality
from soundcharts_pipeline.storage.queries.chart_states import ChartState
from soundcharts_pipeline.storage.queries.geography import located_artists
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables.audience import series
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline_tests.orchestration.assets.recorded import checks_of, facts_of
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.project import Project

DRAWN = {
    "chart_rankings": {"rank_race": "the top 10 of", "top_movers": "movers of"},
    "track_audience/spotify": {
        "platform_series": "Spotify of the best placed tracks",
        "sparklines": "Spotify of the top tracks",
    },
    "track_audience/airplay": {
        "platform_series": "Airplay of the best placed tracks",
        "sparklines": "Airplay of the top tracks",
    },
    "artist_audience/spotify": {
        "platform_series": "Spotify of the best placed artists",
        "sparklines": "Spotify of the top artists",
        "geography": "where the top artists are on Spotify",
    },
    "artist_audience/instagram": {
        "platform_series": "Instagram of the best placed artists",
        "sparklines": "Instagram of the top artists",
        "geography": "where the top artists are on Instagram",
    },
    "audience_trends": {
        "track_sparklines": "top tracks of",
        "artist_sparklines": "top artists of",
    },
}


def test_the_newest_day_of_a_range_has_pictures_of_each_ranking_and_series(project: Project) -> None:
    span = project.span(2)
    result = project.run(span)
    assert result.success
    pictures = {
        (key, day, name): str(value)
        for (key, day), facts in facts_of(project, result).items()
        for name, value in facts.items()
        if "data:image/svg" in str(value)
    }
    with project.warehouse.read() as conn:
        placed = {p: bool(located_artists(conn, SLUG, span.last, p)) for p in ("spotify", "instagram")}
    drawn = [(key, name) for key, of_key in DRAWN.items() for name in of_key]
    # Places of followers come once a week, and not with the week's history of every newest day.
    drawn = [(key, name) for key, name in drawn if name != "geography" or placed[key.partition("/")[2]]]
    assert pictures.keys() == {(key, str(span.last), name) for key, name in drawn}
    known = track_names(project) | artist_names(project)
    for (key, day, name), picture in pictures.items():
        title, _, data = picture.removeprefix("![").removesuffix(")").partition("](data:image/svg+xml;base64,")
        assert DRAWN[key][name] in title
        svg = ElementTree.fromstring(base64.b64decode(data))  # noqa: S314  # a picture of ours
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"
        text = "".join(svg.itertext())
        assert any(known_name in text for known_name in known), name
        assert day[:7] in text, name
        assert len(picture) < 60_000


def test_pictures_that_show_the_same_are_taken_over_and_others_drawn() -> None:
    def shown(value: int) -> Pictures:
        return {"one": Drawing("One", [value], lambda width: f"<svg>{width} {next(times)}</svg>")}

    times = count()
    first = drawn(shown(1), {})
    assert drawn(shown(1), first) == first
    assert drawn(shown(2), first)["one"] != first["one"]
    assert next(times) == 2
    bare = {name: value for name, value in first.items() if name != "one"}
    assert drawn(shown(1), bare).keys() == first.keys()  # a pruned day has no picture any more
    assert drawn({}, first) == {}


def test_a_run_of_nothing_new_records_the_pictures_that_are_there(project: Project) -> None:
    span = project.span(1)
    before, again = facts_of(project, project.run(span)), facts_of(project, project.run(span))
    pictures = [(key, name) for key, facts in before.items() for name in facts if "svg" in str(facts[name])]
    assert len(pictures) > 5
    assert [again[key][name] for key, name in pictures] == [before[key][name] for key, name in pictures]


def test_a_day_without_a_value_or_a_ranking_has_no_picture(sqlite_warehouse: Warehouse) -> None:
    with sqlite_warehouse.read() as conn:
        day = date(2026, 11, 22)
        assert ranking_pictures(conn, SLUG, day) == {}
        assert audience_pictures(conn, SLUG, day, "track", "spotify") == {}
        assert audience_pictures(conn, SLUG, day, "artist", "spotify") == {}
        assert trend_pictures(conn, SLUG, day) == {}


def test_trends_are_stored_as_the_door_tells_them_and_cost_nothing(project: Project) -> None:
    span = project.span(2)
    assert project.run(span).success
    spent = project.simulator.counters.total
    t = s.audience_trends
    names = ("uuid", "platform", "metric", "date", "value", "points", "difference_7", "change_28", "streak")
    with connect(project.warehouse.url.render_as_string()) as music, project.warehouse.read() as conn:
        for day in span.days:
            told = music.trends(SLUG, day)[list(names)].astype(object)
            told["date"] = [at.date() for at in told["date"]]
            stored = conn.execute(select(*(t.c[name] for name in names)).where(t.c.rank_date == day)).all()
            assert len(stored) > 100
            plain = told.where(told.notna(), None).itertuples(index=False, name=None)
            assert sorted(map(repr, plain)) == sorted(repr(tuple(row)) for row in stored)

    again = project.run(span, ["audience_trends"])

    facts = facts_of(project, again)["audience_trends", str(span.last)]
    assert (facts["calls_of_2_days"], facts["rows_saved_of_2_days"]) == (0, 0)
    assert project.simulator.counters.total == spent


def test_what_is_computed_is_marked_with_the_version_that_made_it(project: Project) -> None:
    span = project.span(1)
    assert project.run(span).success
    for key in ("audience_trends", "chart_report"):
        of_asset = dg.AssetKey(key)
        made = project.instance.fetch_materializations(of_asset, limit=1).records[0].asset_materialization
        assert made is not None
        wanted = project.definitions.resolve_asset_graph().get(of_asset).code_version
        assert wanted is not None
        assert (made.tags or {})["dagster/code_version"] == wanted


def test_trends_that_are_not_of_the_ranking_are_counted_until_they_are_made_again(project: Project) -> None:
    span = project.span(1)
    assert project.run(span).success
    day = ChartDays(SLUG, span.first, span.last)
    with project.warehouse.write() as conn:
        of_top = s.chart_rankings.c.position == 1
        top = conn.scalar(select(s.chart_rankings.c.track_uuid).where(of_top))
        conn.execute(s.chart_rankings.update().where(of_top).values(track_uuid="another"))
        conn.execute(series.update().where(series.c.uuid == top).values(uuid="another"))
    with project.warehouse.read() as conn:
        assert quality.without_trend(conn, day) == 1
        assert quality.unranked_trends(conn, day) > 0

    result = project.run(span, ["audience_trends"])

    assert checks_of(result) == {
        "audience_trends: every_series_has_a_trend": True,
        "audience_trends: no_orphan_trends": True,
    }
    with project.warehouse.read() as conn:
        assert (quality.without_trend(conn, day), quality.unranked_trends(conn, day)) == (0, 0)


def test_a_day_whose_data_is_all_there_is_complete_without_its_analysis(project: Project) -> None:
    chart = project.settings.chart(SLUG)
    state = ChartState(platform=None, frequency=None, published={}, saved=frozenset(), saved_at=None)
    assert chart_facts(project.settings, chart, state, None).keys == {*DRAWN, "track_metadata", "artist_metadata"} - {
        "audience_trends"
    }


def track_names(project: Project) -> set[str]:
    with project.warehouse.read() as conn:
        return set(conn.scalars(select(s.tracks.c.name)))


def artist_names(project: Project) -> set[str]:
    with project.warehouse.read() as conn:
        return set(conn.scalars(select(s.artists.c.name)))
