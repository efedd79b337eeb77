"""Rankings on the wire: complete, in step with the one before, published the next day."""

from datetime import date, timedelta

import pytest

from soundcharts_pipeline.simulator import Simulator

from .asking import RANKING, Api

DAY = date(2026, 11, 20)


def _ranking(api: Api, slug: str, day: date) -> list[dict[str, object]]:
    return api.items(RANKING.format(slug, f"{day}T12:00:00+00:00"))


@pytest.mark.parametrize("slug", ["global-28", "top-songs-29", "airplay-daily"])
def test_wire_and_truth_agree(sim: Simulator, api: Api, slug: str) -> None:
    truth = sim.world.ranking(slug, DAY)
    items = _ranking(api, slug, DAY)

    assert len(items) == truth.chart.max_results == len(truth.entries)
    for item, entry in zip(items, truth.entries, strict=True):
        assert item["position"] == entry.position
        assert item["song"] == {
            "uuid": entry.track.uuid,
            "name": entry.track.name,
            "creditName": entry.track.credit_name,
            "imageUrl": entry.track.image_url,
        }
        assert (item["oldPosition"], item["positionEvolution"]) == (
            entry.old_position or 0,
            entry.position_change or 0,
        )
        assert item["metric"] == entry.metric
        assert str(item["entryDate"])[:10] == str(entry.entry_date)
        assert (item["entryState"], item["timeOnChartUnit"]) == ("", "DOC")


def test_a_ranking_continues_the_one_before(sim: Simulator) -> None:
    world, slug = sim.world, "global-28"
    before = {entry.track.uuid: entry for entry in world.ranking(slug, DAY - timedelta(days=1)).entries}

    for entry in world.ranking(slug, DAY).entries:
        old = before.get(entry.track.uuid)
        assert entry.old_position == (old.position if old else None)
        assert entry.position_change == (old.position - entry.position if old else None)
        assert entry.entry_date is not None
        if old:
            assert entry.entry_date == old.entry_date
            assert entry.time_on_chart == (old.time_on_chart or 0) + 1
        else:
            assert entry.entry_date <= DAY


def test_charts_move_like_music(sim: Simulator) -> None:
    world, slug = sim.world, "global-28"
    days = [DAY - timedelta(days=age) for age in range(60)]
    rankings = [world.ranking(slug, day) for day in days]
    new = [sum(entry.old_position is None for entry in ranking.entries) for ranking in rankings]

    assert all(2 <= count <= 14 for count in new)
    entries = [entry for day, ranking in zip(days, rankings, strict=True) for entry in ranking.entries]
    first_timers = sum(entry.old_position is None and entry.time_on_chart == 1 for entry in entries)
    returning = sum(entry.old_position is None and (entry.time_on_chart or 0) > 1 for entry in entries)
    assert first_timers > 0
    assert returning > 0
    top = {entry.track.uuid for ranking in rankings for entry in ranking.entries[:10]}
    assert len(top) > 10


def test_metrics_fall_with_position(sim: Simulator) -> None:
    ranking = sim.world.ranking("global-28", DAY)
    metrics = [entry.metric or 0 for entry in ranking.entries]

    assert metrics == sorted(metrics, reverse=True)
    assert ranking.metric_type == "streamcount"
    assert sim.world.ranking("shazam-top-200-world", DAY).entries[0].metric is None


def test_available_rankings_are_bare_timestamps_newest_first(sim: Simulator, api: Api) -> None:
    stamps = api.items("/api/v2/chart/song/global-28/available-rankings")

    assert stamps[:2] == ["2026-11-20T12:00:00+00:00", "2026-11-19T12:00:00+00:00"]
    assert stamps == sorted(stamps, reverse=True)
    assert stamps == [published.timestamp for published in sim.world.published_days("global-28")]
    assert len(stamps) > 700


def test_a_weekly_chart_is_published_on_one_weekday(api: Api) -> None:
    stamps = api.items("/api/v2/chart/song/tiktok-weekly-songs/available-rankings")

    assert {date.fromisoformat(stamp[:10]).weekday() for stamp in stamps} == {4}
    assert len(stamps) > 100


def test_a_ranking_is_asked_for_by_its_exact_timestamp(api: Api) -> None:
    latest = api.get(RANKING.format("global-28", "latest"))

    assert latest["related"]["date"] == f"{DAY}T12:00:00+00:00"
    assert latest == {
        **api.get(RANKING.format("global-28", f"{DAY}T12:00:00%2B00:00")),
        "page": latest["page"],
    }
    for stamp in ("2026-11-20T13:00:00+00:00", "2026-11-21T12:00:00+00:00", "2020-01-01T12:00:00+00:00", "soon"):
        assert api.refused(RANKING.format("global-28", stamp)) == (404, "Ranking not found.")
    assert api.refused(RANKING.format("global-99", "latest")) == (404, "Chart not found.")


def test_the_chart_of_a_ranking_is_printed_as_recorded(api: Api) -> None:
    chart = api.get(RANKING.format("global-28", "latest"))["related"]["chart"]

    assert (chart["countryCode"], chart["countryName"], chart["cityName"]) == ("", "Worldwide", "")
    assert chart["metric"] == {"type": "streamcount", "description": "Streams"}


def test_a_thousand_places_come_in_ten_pages(api: Api) -> None:
    path = RANKING.format("soundcloud-top-1000", "latest")
    page = api.get(path)["page"]
    items = api.items(path)

    assert page["total"] == 1000
    assert [item["position"] for item in items] == list(range(1, 1001))
