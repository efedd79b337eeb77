"""Tracks and artists: what their JSON tells of, and what the database holds once it is saved."""

from typing import Any

from sqlalchemy import Connection, select

from soundcharts_pipeline.models import Artist, Track
from soundcharts_pipeline.storage import saves
from soundcharts_pipeline.storage.tables import schema as s

from .calling import BAD_GUY, BILLIE
from .plain_reading import EMPTY, NOW, SECOND, UNCLEAR, ChangedApi, Reading, Row, required

TRACK_TEXTS = ("slug", "creditName", "imageUrl", "languageCode", "copyright", "distributor", "appUrl", "previewUrl")
ARTIST_TEXTS = (
    *("slug", "imageUrl", "appUrl", "webUrl", "countryCode", "cityName", "biography", "careerStage", "growthLevel"),
    *("gender", "type", "isni", "ipi"),
)


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _records(body: Any) -> list[Any]:
    if "items" in body:
        return [item.get("object", item) if isinstance(item, dict) else item for item in body["items"]]
    return [body.get("object")]


def track_rows(body: Any, reading: Reading) -> list[Row] | None:
    rows: list[Row | None] = []
    for record in _records(body):
        uuid = required(record, "uuid", reading.key, reading)
        name = required(record, "name", reading.name, reading)
        if uuid is None or name is None:
            rows.append(None)
            continue
        isrc = record.get("isrc")
        texts = [reading.text(record.get(key)) for key in TRACK_TEXTS]
        isrc = reading.text(isrc.get("value") if isinstance(isrc, dict) else isrc)
        released, seconds = reading.day(record.get("releaseDate")), reading.whole(record.get("duration"))
        rows.append(
            (
                uuid,
                name,
                *texts,
                isrc,
                released,
                seconds,
                reading.flag(record.get("explicit")),
                *_lists(record, reading),
            )
        )
    return _of_batch(rows, body, reading, (BAD_GUY, SECOND))


def _lists(record: Any, reading: Reading) -> list[Any]:
    """Composers, producers and credits, where they are lists; each odd one is remarked."""
    found: list[Any] = []
    for key in ("composers", "producers"):
        items = record.get(key)
        plain = items is None or (isinstance(items, list) and all(isinstance(item, str | None) for item in items))
        found.append([item for item in items or [] if item] if plain else UNCLEAR)
        reading.odd |= isinstance(items, bool | int | float) or (
            isinstance(items, list) and any(isinstance(item, bool | dict | list) for item in items)
        )
    for key in ("artists", "mainArtists", "featuredArtists"):
        items = record.get(key)
        refs = items if isinstance(items, list) else []
        named = [
            isinstance(ref, dict) and isinstance(ref.get("uuid"), str) and 0 < len(ref["uuid"]) <= 200 for ref in refs
        ]
        given = [ref for ref in refs if ref is not None and ref != ""]
        reading.odd |= isinstance(items, bool | int | float) or any(
            not (isinstance(ref, dict) and isinstance(ref.get("uuid"), str | int | float)) or ref.get("name") in EMPTY
            for ref in given
        )
        clear = items is None or (isinstance(items, list) and len(given) == len(refs) and all(named))
        found.append(sorted({ref["uuid"] for ref in refs}) if clear else UNCLEAR)
    return found


def _of_batch(rows: list[Row | None], body: Any, reading: Reading, asked: Row) -> list[Row] | None:
    if "items" in body and len(rows) > 1 and not any(rows):
        raise ChangedApi
    found = [row for row in rows if row]
    if "items" not in body:
        reading.odd |= any(row[0] != asked[0] for row in found)
        return [(asked[0], *row[1:]) for row in found]
    reading.odd |= any(row[0] not in asked for row in found)
    if len({row[0] for row in found}) < len(found) or {row[0] for row in found} != set(asked) or len(found) < len(rows):
        return None  # members that nothing was said of are asked for alone, and get the same answer
    return found


def save_tracks(conn: Connection, found: Any) -> list[Row]:
    saves.save_tracks(
        conn, [one for one in found.values() if isinstance(one, Track)], artists=True, genres=True, now=NOW
    )
    t = s.tracks.c
    columns = [
        t.uuid,
        t.name,
        *(t[_snake(key)] for key in TRACK_TEXTS),
        t.isrc,
        t.release_date,
        t.duration_seconds,
        t.explicit,
    ]
    rows = [
        tuple(row)
        for row in conn.execute(select(*columns, t.composers, t.producers).where(t.metadata_fetched_at.is_not(None)))
    ]
    ta = s.track_artists.c
    credited = list(conn.execute(select(ta.track_uuid, ta.role, ta.artist_uuid)))
    roles = ("credited", "main", "featured")
    return [
        (
            *row,
            *(sorted(uuid for track, role, uuid in credited if (track, role) == (row[0], wanted)) for wanted in roles),
        )
        for row in rows
    ]


def artist_rows(body: Any, reading: Reading) -> list[Row] | None:
    rows: list[Row | None] = []
    for record in _records(body):
        uuid = required(record, "uuid", reading.key, reading)
        name = required(record, "name", reading.name, reading)
        if uuid is None or name is None:
            rows.append(None)
            continue
        texts = [reading.text(record.get(key)) for key in ARTIST_TEXTS]
        rows.append((uuid, name, *texts, reading.day(record.get("birthDate"))))
    return _of_batch(rows, body, reading, (BILLIE,))


def save_artists(conn: Connection, found: Any) -> list[Row]:
    saves.save_artists(conn, [one for one in found.values() if isinstance(one, Artist)], genres=True, now=NOW)
    a = s.artists.c
    columns = [a.uuid, a.name, *(a[_snake(key)] for key in ARTIST_TEXTS), a.birth_date]
    return [tuple(row) for row in conn.execute(select(*columns).where(a.metadata_fetched_at.is_not(None)))]
