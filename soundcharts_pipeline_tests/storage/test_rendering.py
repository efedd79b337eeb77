"""What may stand in a row: every value comes back as it went in, or is refused by name."""

from datetime import date, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.errors import ValueOutOfRange
from soundcharts_pipeline.storage.tables.bookkeeping import facts
from soundcharts_pipeline.storage.tables.schema import track_artists, track_audience, tracks
from soundcharts_pipeline.storage.warehouse import Warehouse

from .rows import FACTS, MONDAY, Row, points, save_points, stored

# What a track cannot do without, with one document.
DOCUMENT = ["uuid", "name", "audio_features", "first_seen_at", "artists_extracted", "genres_extracted"]


def test_every_kind_of_value_comes_back_as_it_went_in(warehouse: Warehouse) -> None:
    row = {
        "uuid": "a",
        "name": "Song",
        "release_date": date(1969, 7, 20),
        "duration_seconds": 2**31 - 1,
        "explicit": False,
        "labels": [{"name": "Ünïon\t\\", "type": "Major"}],
        "composers": [],
        "audio_features": {"energy": 0.25, "key": 5, "deep": {"b": None, "a": [True, "x"]}},
        "first_seen_at": datetime(2026, 11, 16, 5, 0, tzinfo=timezone(timedelta(hours=2))),
        "metadata_fetched_at": None,
        "artists_extracted": True,
        "genres_extracted": False,
    }
    for expected in (1, 0):
        with warehouse.write() as connection:
            assert merge(connection, tracks, [tuple(row.values())], columns=list(row)) == expected
    with warehouse.read() as connection:
        assert dict(connection.execute(select(*(tracks.c[name] for name in row))).mappings().one()) == row


def test_another_order_of_keys_in_a_document_is_no_change(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        merge(connection, tracks, [("a", "Song", {"x": 1, "y": 2}, MONDAY, False, False)], columns=DOCUMENT)
        assert merge(connection, tracks, [("a", "Song", {"y": 2, "x": 1}, MONDAY, False, False)], columns=DOCUMENT) == 0
        assert merge(connection, tracks, [("a", "Song", {"y": 2, "x": 3}, MONDAY, False, False)], columns=DOCUMENT) == 1


@pytest.mark.parametrize(
    "text",
    ["", "\\N", "\\", "\\.", "a\tb", "a\nb", "a\r\nb", "\\t", "'; --", "é", "🎵", "\u2028", "null", "%s", ":x"],
)
def test_text_comes_back_exactly(warehouse: Warehouse, text: str) -> None:
    rows = [(f"key {text}", text, MONDAY)]
    for expected in (1, 0):
        with warehouse.write() as connection:
            assert merge(connection, facts, rows, columns=FACTS) == expected
    assert stored(warehouse, facts) == rows


def test_what_no_database_can_hold_is_taken_out_of_text(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        merge(connection, facts, [("a\0b", "\0x\ud83d\0", MONDAY)], columns=FACTS)
        merge(connection, facts, [("ab", "later", MONDAY)], columns=FACTS)
        document = {"k\0": ["\0v", "\ud83d", "\\u0000"]}
        merge(connection, tracks, [("a", "\ud83d", document, MONDAY, False, False)], columns=DOCUMENT)
        features = connection.execute(select(tracks.c.name, tracks.c.audio_features)).one()
    assert stored(warehouse, facts) == [("ab", "later", MONDAY)]
    assert tuple(features) == ("\ufffd", {"k": ["v", "\ufffd", "\\u0000"]})


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_64_bits_are_enough_for_a_value(warehouse: Warehouse, value: int) -> None:
    save_points(warehouse, points(value))
    assert stored(warehouse, track_audience) == points(value)


def test_a_value_beyond_64_bits_is_refused_by_name(warehouse: Warehouse) -> None:
    with pytest.raises(ValueOutOfRange, match=r"points\.value .* not 9223372036854775808, in \("):
        save_points(warehouse, points(5, 2**63))
    assert stored(warehouse, track_audience) == []


def test_a_small_column_holds_32_bits_on_both_databases(warehouse: Warehouse) -> None:
    rows = [("a", "b", "main", 2**31)]
    with pytest.raises(ValueOutOfRange, match=r"track_artists\.position"), warehouse.write() as connection:
        merge(connection, track_artists, rows, columns=["track_uuid", "artist_uuid", "role", "position"])


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        (("a", None, MONDAY), ValueError, r"facts\.value is null in \('a', None"),
        (("a", 5, MONDAY), TypeError, r"facts\.value takes str, not int"),
        (("a", "b", datetime(2026, 1, 1)), ValueError, "no time zone"),  # noqa: DTZ001
        (("a", "b", date(2026, 1, 1)), TypeError, r"facts\.noted_at takes datetime, not date"),
        (("a", "b"), ValueError, "rows for facts need 3 values: name, value, noted_at"),
    ],
)
def test_a_wrong_row_is_refused_before_anything_is_saved(
    warehouse: Warehouse, row: Row, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message), warehouse.write() as connection:
        merge(connection, facts, [("ok", "ok", MONDAY), row], columns=FACTS)
    assert stored(warehouse, facts) == []
