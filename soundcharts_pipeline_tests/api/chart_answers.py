"""Charts and rankings: what their JSON tells of, and what the database holds once it is saved."""

from typing import Any

from sqlalchemy import Connection, select

from soundcharts_pipeline.storage import saves
from soundcharts_pipeline.storage.tables import schema as s

from .plain_reading import NOW, RANKING, ChangedApi, Reading, Row, required, some


def codes(body: Any, reading: Reading) -> list[Row]:
    codes = [required(item, "code", reading.text, reading) for item in body["items"]]
    some(codes, body["items"])
    return [(code,) for code in codes if code is not None]


CHART = ("slug", "name", "platform", "countryCode", "cityName", "frequency", "type", "maxResultsCount", "webUrl")


def chart_rows(body: Any, reading: Reading) -> list[Row]:
    rows: list[Row | None] = []
    for item in body["items"]:
        slug = required(item, "slug", reading.key, reading)
        others = [required(item, key, reading.text, reading) for key in CHART[1:3]]
        if slug is None or None in others:
            rows.append(None)
            continue
        texts = {key: reading.text(item.get(key)) for key in CHART[3:] if key != "maxResultsCount"}
        texts["maxResultsCount"] = reading.whole(item.get("maxResultsCount"))
        metric = item.get("metric")
        reading.odd |= metric not in (None, "", []) and not isinstance(metric, dict)
        rows.append((slug, *others, *(texts[key] for key in CHART[3:])))
    some(rows, body["items"])
    return list({row[0]: row for row in rows if row}.values())


def save_charts(conn: Connection, charts: Any) -> list[Row]:
    saves.save_charts(conn, charts)
    return [tuple(row) for row in conn.execute(select(*s.charts.columns))]


def published_rows(body: Any, reading: Reading) -> list[Row]:
    days = [reading.day(item) if isinstance(item, str) else None for item in body["items"]]
    days = [None if day is None else (day, item) for day, item in zip(days, body["items"], strict=True)]
    reading.odd |= None in days
    some(days, body["items"])
    return [row for row in days if row]


def save_published(conn: Connection, pages: Any) -> list[Row]:
    found = [one for page in pages for one in page if one is not None]
    saves.save_published(conn, "global-28", {one.day: one for one in found}.values(), NOW)
    return [tuple(one) for one in found]


def ranking_rows(body: Any, reading: Reading) -> list[Row] | None:
    rows: list[Row | None] = []
    names = []
    for item in body["items"]:
        song: Any = item.get("song") if isinstance(item, dict) else None
        uuid = required(song, "uuid", reading.key, reading)
        position = required(item, "position", reading.whole, reading)
        if uuid is None or position is None or position < 0:
            reading.odd = True
            rows.append(None)
            continue
        names.append(reading.name(song.get("name")))
        reading.odd |= names[-1] is None
        for key in ("creditName", "imageUrl"):
            reading.text(song.get(key))
        rows.append((position, uuid, *_entry(item, reading)))
    some(rows, body["items"])
    if len(names) > 1 and not any(names):
        raise ChangedApi
    entries = [row for row in rows if row and row[0] > 0]
    if len({row[:2] for row in entries}) < len(entries):
        return None  # one place twice: which of them counts is told elsewhere
    return entries


def _entry(item: Any, reading: Reading) -> Row:
    old = reading.whole(item.get("oldPosition")) or None
    change = reading.whole(item.get("positionEvolution"))
    return (
        old,
        change if old is not None else change or None,
        reading.whole(item.get("metric"), 64),
        reading.text(item.get("entryState")),
        reading.day(item.get("entryDate")),
        reading.whole(item.get("timeOnChart")),
        reading.text(item.get("timeOnChartUnit")),
    )


def save_ranking(conn: Connection, ranking: Any) -> list[Row]:
    saves.save_ranking(conn, ranking, RANKING, NOW)
    r = s.chart_rankings.c
    columns = (r.position, r.track_uuid, r.old_position, r.position_change, r.metric, r.entry_state, r.entry_date)
    return [tuple(row) for row in conn.execute(select(*columns, r.time_on_chart, r.time_on_chart_unit))]
