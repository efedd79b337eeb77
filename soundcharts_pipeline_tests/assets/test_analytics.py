"""What is computed and drawn of a chart-day: trends as the door tells them, pictures of the newest day."""

import base64
from xml.etree import ElementTree

from sqlalchemy import select

from soundcharts_pipeline.analysis import connect
from soundcharts_pipeline.chart_facts import chart_facts
from soundcharts_pipeline.storage import quality
from soundcharts_pipeline.storage import schema as s
from soundcharts_pipeline.storage.chart_states import ChartState
from soundcharts_pipeline.storage.worklists import ChartDays
from soundcharts_pipeline_tests.assets.recorded import checks_of, facts_of
from soundcharts_pipeline_tests.helpers import SLUG
from soundcharts_pipeline_tests.project import Project

DRAWN = {
    "chart_rankings": "the top 10 of",
    "track_audience/spotify": "spotify of the best placed tracks",
    "track_audience/airplay": "airplay of the best placed tracks",
    "artist_audience/spotify": "spotify of the best placed artists",
    "artist_audience/instagram": "instagram of the best placed artists",
}


def test_the_newest_day_of_a_range_has_a_picture_of_each_ranking_and_series(project: Project) -> None:
    span = project.span(2)
    result = project.run(span)
    assert result.success
    recorded = facts_of(project, result)
    pictures = {name: str(facts["picture"]) for name, facts in recorded.items() if "picture" in facts}
    assert pictures.keys() == {(key, str(span.last)) for key in DRAWN}
    for (key, _), picture in pictures.items():
        title, _, data = picture.removeprefix("![").removesuffix(")").partition("](data:image/svg+xml;base64,")
        assert DRAWN[key] in title
        svg = ElementTree.fromstring(base64.b64decode(data))  # noqa: S314  # a picture of ours
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"
        assert any(name in "".join(svg.itertext()) for name in track_names(project) | artist_names(project))
        assert len(picture) < 60_000


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


def test_trends_that_are_not_of_the_ranking_are_counted_until_they_are_made_again(project: Project) -> None:
    span = project.span(1)
    assert project.run(span).success
    day = ChartDays(SLUG, span.first, span.last)
    with project.warehouse.write() as conn:
        of_top = s.chart_rankings.c.position == 1
        top = conn.scalar(select(s.chart_rankings.c.track_uuid).where(of_top))
        conn.execute(s.chart_rankings.update().where(of_top).values(track_uuid="another"))
        points = s.track_audience
        conn.execute(points.update().where(points.c.track_uuid == top).values(track_uuid="another"))
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
    state = ChartState(platform=None, frequency=None, published=frozenset(), saved=frozenset(), saved_at=None)
    assert chart_facts(project.settings, chart, state, None).keys == {*DRAWN, "track_metadata", "artist_metadata"}


def track_names(project: Project) -> set[str]:
    with project.warehouse.read() as conn:
        return set(conn.scalars(select(s.tracks.c.name)))


def artist_names(project: Project) -> set[str]:
    with project.warehouse.read() as conn:
        return set(conn.scalars(select(s.artists.c.name)))
