"""Metadata of up to ten tracks or artists in a call: each member has its answer, whatever the others are."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from soundcharts_pipeline.api.client import SoundchartsClient
from soundcharts_pipeline.api.errors import NotFound, NotInPlan, UnexpectedPayload, UnreadableRecord
from soundcharts_pipeline.api.remarks import KEPT, LEFT_OUT
from soundcharts_pipeline.models import Artist, Track

from .calling import BAD_GUY, BILLIE, Asked, Says, Stub, answering, caller_of
from .conftest import TODAY, Simulate
from .recorded import payload

SECOND = "11111111-2222-11e9-9375-aaaaaaaaaaaa"
UNKNOWN = "00000000-0000-11e9-9375-000000000000"


@contextmanager
def _answering_client(answer: Callable[[Asked], Says]) -> Iterator[tuple[SoundchartsClient, Stub]]:
    with answering(answer) as stub:
        yield caller_of(stub.url).client, stub


def _chart_tracks(simulator: Any, count: int) -> list[str]:
    ranking = simulator.world.ranking("global-28", TODAY - timedelta(days=1))
    return [entry.track.uuid for entry in ranking.entries[:count]]


def test_ten_tracks_are_one_billed_call(simulate: Simulate) -> None:
    simulator = simulate()
    uuids = _chart_tracks(simulator, 10)

    assert caller_of(simulator.url).client.tracks(uuids) == {uuid: simulator.world.track(uuid) for uuid in uuids}
    assert (simulator.counters.total, simulator.counters.billed) == (1, 1)


def test_one_unknown_track_does_not_take_the_others_along(simulate: Simulate) -> None:
    simulator = simulate()
    known = _chart_tracks(simulator, 4)
    found = caller_of(simulator.url).client.tracks([*known[:2], UNKNOWN, *known[2:]])

    assert list(found) == [*known[:2], UNKNOWN, *known[2:]]
    assert isinstance(found.pop(UNKNOWN), NotFound)
    assert found == {uuid: simulator.world.track(uuid) for uuid in known}
    assert simulator.counters.total == 1 + 5


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (410, NotFound), (403, NotInPlan)])
def test_a_refusal_of_one_entity_is_its_answer(status: int, kind: type[Exception]) -> None:
    refused = Says.json({"errors": [{"key": "access", "code": status, "message": "No."}]}, status)
    with _answering_client(lambda _: refused) as (client, _):
        assert [type(answer) for answer in client.artists([BILLIE]).values()] == [kind]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_plan_that_refuses_batches_is_remembered(status: int) -> None:
    def answer(asked: Asked) -> Says:
        uuids = asked.path.rpartition("/")[2].split(",")
        if len(uuids) > 1:
            return Says.json({"errors": [{"code": status, "message": "Too many."}]}, status)
        return Says.json({"object": {"uuid": uuids[0], "name": "a track"}})

    with _answering_client(answer) as (client, stub):
        for _ in range(2):
            found = client.tracks([BAD_GUY, SECOND])
            assert [record.uuid for record in found.values() if isinstance(record, Track)] == [BAD_GUY, SECOND]

    assert [asked.target.count(",") for asked in stub.asked] == [1, 0, 0, 0, 0]


def test_an_unknown_track_is_no_reason_to_give_up_batches(simulate: Simulate) -> None:
    simulator = simulate()
    known = _chart_tracks(simulator, 6)
    client = caller_of(simulator.url).client
    client.tracks([*known[:2], UNKNOWN])
    before = simulator.counters.total
    client.tracks(known[2:])

    assert simulator.counters.total == before + 1


def test_what_a_batch_leaves_out_is_asked_for_alone() -> None:
    def answer(asked: Asked) -> Says:
        if "," in asked.path:
            return Says.json({**payload("track_batch"), "items": payload("track_batch")["items"][:1]})
        return Says.json({"object": {"uuid": SECOND, "name": "second"}})

    with _answering_client(answer) as (client, stub):
        found = client.tracks([BAD_GUY, SECOND])

    assert [getattr(record, "name", None) for record in found.values()] == ["bad guy", "second"]
    assert [asked.path for asked in stub.asked] == [f"/api/v2.25/song/{BAD_GUY},{SECOND}", f"/api/v2.25/song/{SECOND}"]


def test_a_batch_that_brings_a_refusal_of_one_member_does_not_cost_the_others_their_answer() -> None:
    def answer(asked: Asked) -> Says:
        gone = Says.json({"errors": [{"code": 404, "message": "Not found."}]}, 404)
        if "," in asked.path:
            return Says.json({**payload("track_batch"), "errors": json.loads(gone.body)["errors"]})
        return gone if SECOND in asked.path else Says.json({"object": {"uuid": BAD_GUY, "name": "bad guy"}})

    with _answering_client(answer) as (client, stub):
        found = client.tracks([BAD_GUY, SECOND])

    assert [type(record) for record in found.values()] == [Track, NotFound]
    assert len(stub.asked) == 3


def test_capitals_of_a_uuid_name_the_same_track_and_artist() -> None:
    def answer(_: Asked) -> Says:
        artists = [{"uuid": BILLIE.upper(), "name": "Billie"}]
        return Says.json({"items": [{"uuid": BAD_GUY.upper(), "name": "bad guy", "artists": artists}], "page": {}})

    with _answering_client(lambda asked: answer(asked) if "," in asked.path else Says.json({}, 404)) as (client, stub):
        found = client.tracks([BAD_GUY, SECOND])[BAD_GUY]

    assert isinstance(found, Track)
    assert (found.uuid, found.artists[0].uuid) == (BAD_GUY, BILLIE)
    assert [asked.path for asked in stub.asked] == [f"/api/v2.25/song/{BAD_GUY},{SECOND}", f"/api/v2.25/song/{SECOND}"]
    assert client.remarks.drain() == []


def test_a_merged_entity_keeps_the_uuid_it_was_asked_by() -> None:
    merged = {"uuid": SECOND, "name": "merged"}

    def answer(asked: Asked) -> Says:
        return Says.json({"items": [merged]} if "," in asked.path else {"object": merged})

    with _answering_client(answer) as (client, _):
        found = client.tracks([BAD_GUY, SECOND])

    assert [(uuid, getattr(record, "uuid", None)) for uuid, record in found.items()] == [
        (BAD_GUY, BAD_GUY),
        (SECOND, SECOND),
    ]
    assert _remarks(client) == [("track", "uuid", KEPT, [(BAD_GUY, SECOND)])]


def _remarks(client: SoundchartsClient) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    return [(r.endpoint, r.field, r.done, r.examples) for r in client.remarks.drain()]


def test_a_record_that_was_not_asked_for_is_not_taken_for_another() -> None:
    def answer(asked: Asked) -> Says:
        if "," in asked.path:
            return Says.json({"items": [{"uuid": UNKNOWN, "name": "foreign"}, {"uuid": SECOND, "name": "second"}]})
        return Says.json({"object": {"uuid": BAD_GUY, "name": "bad guy"}})

    with _answering_client(answer) as (client, stub):
        found = client.tracks([BAD_GUY, SECOND])

    assert [getattr(record, "name", None) for record in found.values()] == ["bad guy", "second"]
    assert len(stub.asked) == 2
    assert _remarks(client) == [("track", "uuid", LEFT_OUT, [(UNKNOWN, "not asked for")])]


@pytest.mark.parametrize(
    ("odd", "field"),
    [
        ({"uuid": SECOND, "name": None}, "name"),
        ({"name": "nobody"}, "uuid"),
        ({"uuid": "", "name": "x"}, "uuid"),
        (7, "the item"),
    ],
)
def test_a_member_that_cannot_be_read_is_its_answer_and_costs_no_call_of_its_own(odd: object, field: str) -> None:
    items = [{"uuid": BAD_GUY, "name": "bad guy"}, odd]
    with _answering_client(lambda _: Says.json({"items": items})) as (client, stub):
        found = client.tracks([SECOND, BAD_GUY])

    assert list(found) == [SECOND, BAD_GUY]
    assert isinstance(found[BAD_GUY], Track)
    unread = found[SECOND]
    assert isinstance(unread, UnreadableRecord)
    assert unread.field == field
    assert len(stub.asked) == 1
    assert [remark[:3] for remark in _remarks(client)] == [("track", field, LEFT_OUT)]


def test_members_that_cannot_be_told_apart_are_asked_for_alone() -> None:
    """One record without a UUID, and two members that nothing was said of: it may be either."""

    def answer(asked: Asked) -> Says:
        if "," in asked.path:
            return Says.json({"items": [{"uuid": BAD_GUY, "name": "bad guy"}, {"name": "nobody"}]})
        return Says.json({"object": {"uuid": asked.path.rpartition("/")[2], "name": "alone"}})

    with _answering_client(answer) as (client, stub):
        found = client.tracks([BAD_GUY, SECOND, UNKNOWN])

    assert [getattr(record, "name", None) for record in found.values()] == ["bad guy", "alone", "alone"]
    assert len(stub.asked) == 3


def test_a_member_that_comes_twice_counts_once_and_differing_ones_are_remarked() -> None:
    one, other = {"uuid": BAD_GUY, "name": "one"}, {"uuid": BAD_GUY, "name": "other"}
    second = {"uuid": SECOND, "name": "second"}
    for items, name, remarks in (([one, one, second], "one", 0), ([one, other, second], "other", 1)):
        with _answering_client(lambda _, items=items: Says.json({"items": items})) as (client, _):  # type: ignore[misc]
            found = client.tracks([BAD_GUY, SECOND])
        assert getattr(found[BAD_GUY], "name", None) == name
        assert len(_remarks(client)) == remarks


def test_a_batch_of_which_nothing_can_be_read_is_refused() -> None:
    items = [{"uuid": BAD_GUY, "title": "bad guy"}, {"uuid": SECOND, "title": "second"}]
    with (
        _answering_client(lambda _: Says.json({"items": items})) as (client, stub),
        pytest.raises(UnexpectedPayload, match=r"track: name: .*in every record.*charts\.yaml"),
    ):
        client.tracks([BAD_GUY, SECOND])
    assert len(stub.asked) == 1


@pytest.mark.parametrize("body", [{}, {"object": None}, {"object": []}, {"object": {"name": "nameless"}}])
def test_metadata_without_its_object_is_an_error_and_not_an_absence(body: dict[str, Any]) -> None:
    with _answering_client(lambda _: Says.json(body)) as (client, _):
        error = client.tracks([BAD_GUY])[BAD_GUY]
    assert isinstance(error, UnexpectedPayload)
    assert re.match(r"^track: .*charts\.yaml", str(error))


@pytest.mark.parametrize("name", [None, "", "\0", "   ", "\u00a0\t"])
@pytest.mark.parametrize("many", [False, True])
def test_a_record_with_a_blank_name_is_left_out_alone(name: str | None, many: bool) -> None:
    asked = [BAD_GUY, BILLIE] if many else [BAD_GUY]
    odd, good = {"uuid": BAD_GUY, "name": name}, {"uuid": BILLIE, "name": "good"}
    body = {"items": [{"object": odd}, {"object": good}]} if many else {"object": odd}
    with answering(lambda _: Says.json(body)) as stub:
        client = caller_of(stub.url).client
        for ask in (client.tracks, client.artists):
            found = ask(asked)
            assert isinstance(found[BAD_GUY], UnreadableRecord)
            assert [one.name for one in found.values() if isinstance(one, Track | Artist)] == ["good"] * many
            (remark,) = client.remarks.drain()
            assert (remark.field, remark.done) == ("name", LEFT_OUT)
