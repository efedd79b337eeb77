"""Radio plays: a count, single plays and sums per station that agree with each other."""

from collections import Counter
from datetime import date, timedelta

from soundcharts_pipeline.simulator import Simulator

from .asking import BAD_GUY, Api
from .conftest import TODAY, Simulate

DAY = date(2026, 11, 19)
PLAYS, GROUPS = f"/api/v2/song/{BAD_GUY}/broadcasts", f"/api/v2/song/{BAD_GUY}/broadcast-groups"


def _on(day: date) -> dict[str, str]:
    return {"startDate": f"{day}T00:00:00Z", "endDate": f"{day}T23:59:59Z"}


def test_one_item_tells_the_count_of_a_day(sim: Simulator, api: Api) -> None:
    body = api.get(PLAYS, **_on(DAY), limit=1)

    assert len(body["items"]) == 1
    assert body["page"]["total"] == sim.world.spins(BAD_GUY, DAY)
    assert body["page"]["total"] > 500


def test_plays_and_stations_agree(sim: Simulator, api: Api) -> None:
    plays = api.items(PLAYS, **_on(DAY))
    groups = api.items(GROUPS, startDate=str(DAY), endDate=str(DAY))
    by_station = Counter(play["radio"]["slug"] for play in plays)

    assert len(plays) == sim.world.spins(BAD_GUY, DAY)
    assert {group["radio"]["slug"]: group["playCount"] for group in groups} == by_station
    assert len(groups) > 100
    assert [play["airedAt"] for play in plays] == sorted(play["airedAt"] for play in plays)
    assert {play["airedAt"][:10] for play in plays} == {str(DAY)}


def test_a_window_is_the_sum_of_its_days(sim: Simulator, api: Api) -> None:
    days = [DAY - timedelta(days=age) for age in range(7)]
    expected = sum(sim.world.spins(BAD_GUY, day) or 0 for day in days)
    window = {"startDate": str(days[-1]), "endDate": str(days[0])}

    assert api.get(PLAYS, **window, limit=1)["page"]["total"] == expected
    assert sum(group["playCount"] for group in api.items(GROUPS, **window)) == expected
    ends = api.get(PLAYS, **window, offset=expected - 1)["items"]
    assert [play["airedAt"][:10] for play in ends] == [str(days[0])]


def test_moments_cut_a_day(api: Api) -> None:
    halves = [
        {"startDate": f"{DAY}T00:00:00Z", "endDate": f"{DAY}T11:59:59Z"},
        {"startDate": f"{DAY}T14:00:00+02:00", "endDate": f"{DAY}T23:59:59+00:00"},
    ]
    morning, afternoon = (api.items(PLAYS, **half) for half in halves)

    assert morning + afternoon == api.items(PLAYS, **_on(DAY))
    assert max(play["airedAt"] for play in morning) < f"{DAY}T12:00:00" <= afternoon[0]["airedAt"]


def test_a_day_is_whole_only_when_it_is_over(simulate: Simulate) -> None:
    simulator, api = simulate()
    counts = []
    for today in (TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=9)):
        simulator.set(today=today)
        counts.append(api.get(PLAYS, **_on(TODAY), limit=1)["page"]["total"])
        groups = api.items(GROUPS, startDate=str(TODAY), endDate=str(TODAY))
        assert sum(group["playCount"] for group in groups) == counts[-1]

    assert counts[0] == 0 < counts[1] < counts[2] == counts[3] == simulator.world.spins(BAD_GUY, TODAY)
    simulator.set(today=TODAY)
    assert simulator.world.spins(BAD_GUY, TODAY) is None


def test_stations_can_be_filtered(api: Api) -> None:
    window = {"startDate": str(DAY), "endDate": str(DAY)}
    groups = api.items(GROUPS, **window)
    slug, country = groups[0]["radio"]["slug"], groups[0]["radio"]["countryCode"]

    assert {g["radio"]["countryCode"] for g in api.items(GROUPS, **window, countryCode=country)} == {country}
    assert api.items(GROUPS, **window, radioSlugs=slug) == groups[:1]


def test_bad_windows_are_refused(api: Api) -> None:
    assert api.refused(GROUPS, startDate="2026-01-01", endDate="2026-06-01")[0] == 400
    assert api.refused(PLAYS, startDate="2026-01-01", endDate="2026-06-01")[0] == 400
    assert api.refused(PLAYS, startDate="2026-11-20T00:00:00")[0] == 400
    assert api.refused(PLAYS, startDate="2026-11-20", endDate="2026-11-19")[0] == 400
    assert api.refused(PLAYS.replace(BAD_GUY, "nobody"))[0] == 404
