"""One chart-day as a plain asyncio script fetches and stores it: a fan-out of 32, no retries, no quota, no resume.

What a competent engineer writes in one file, here to compare with: all rows are held in memory and saved at the end
in one transaction, everything that can be asked at the same time is. Prints what it took, as JSON.
"""

import argparse
import asyncio
import json
import sqlite3
import time
from collections.abc import Coroutine, Iterable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aiohttp

TRACK_METRICS = {"spotify": "streams", "youtube": "views", "shazam": "shazams"}
STREAMING = {"spotify": "monthly_listeners", "youtube": "views"}
FOLLOWED = ("spotify", "youtube", "instagram", "tiktok")
TABLES = {
    "chart_rankings": "chart_slug, rank_date, position, track_uuid, old_position, metric, entry_state,"
    " PRIMARY KEY (chart_slug, rank_date, position)",
    "tracks": "uuid PRIMARY KEY, name, credit_name, isrc, release_date, duration, labels, composers, producers, audio",
    "artists": "uuid PRIMARY KEY, name, country_code, city_name, biography, career_stage, growth_level, type",
    "track_artists": "track_uuid, artist_uuid, role, position, PRIMARY KEY (track_uuid, artist_uuid, role)",
    "track_genres": "track_uuid, root, name, PRIMARY KEY (track_uuid, root, name)",
    "artist_genres": "artist_uuid, root, name, PRIMARY KEY (artist_uuid, root, name)",
    "track_audience": "track_uuid, platform, metric, identifier, date, value,"
    " PRIMARY KEY (track_uuid, platform, metric, identifier, date)",
    "artist_audience": "artist_uuid, platform, metric, date, value, PRIMARY KEY (artist_uuid, platform, metric, date)",
    "artist_audience_geo": "artist_uuid, platform, metric, date, country_code, region, city_name, value,"
    " PRIMARY KEY (artist_uuid, platform, metric, date, country_code, region, city_name)",
}
# The same layout as ours: without a rowid such tables are kept in their key.
COMPACT = ("track_audience", "artist_audience", "artist_audience_geo")
PAGE, BATCH = 100, 10


class Peer:
    def __init__(self, session: aiohttp.ClientSession, slug: str, day: date, history_days: int, in_flight: int) -> None:
        self._session, self._slug, self._day = session, slug, day
        self._span = {"startDate": str(day - timedelta(days=history_days - 1)), "endDate": str(day)}
        self._gate = asyncio.Semaphore(in_flight)
        self.rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
        self.calls = 0

    async def run(self) -> None:
        tracks = await self._ranking()
        series = [self._track_series(uuid, platform) for uuid in tracks for platform in TRACK_METRICS]
        await asyncio.gather(self._cascade(tracks), *series, *(self._plays(uuid) for uuid in tracks))

    async def _get(self, path: str, **params: str | int) -> dict[str, Any]:
        async with self._gate:
            self.calls += 1
            async with self._session.get(path, params=params) as response:
                if response.status == 404:
                    return {}
                response.raise_for_status()
                return json.loads(await response.read())

    async def _items(self, path: str, **params: str | int) -> list[dict[str, Any]]:
        first = await self._get(path, **params, offset=0, limit=PAGE)
        total = first["page"]["total"] if first else 0
        rest = (self._get(path, **params, offset=offset, limit=PAGE) for offset in range(PAGE, total, PAGE))
        return [item for page in (first, *await asyncio.gather(*rest)) for item in page.get("items", ())]

    async def _ranking(self) -> list[str]:
        base = f"/api/v2/chart/song/{self._slug}/available-rankings"
        published = (await self._get(base, offset=0, limit=PAGE))["items"]
        stamp = next(stamp for stamp in published if stamp.startswith(str(self._day)))
        entries = await self._items(f"/api/v2.14/chart/song/{self._slug}/ranking/{stamp}")
        self.rows["chart_rankings"] += [
            (
                self._slug,
                str(self._day),
                e["position"],
                e["song"]["uuid"],
                e["oldPosition"],
                e["metric"],
                e["entryState"],
            )
            for e in entries
        ]
        return list(dict.fromkeys(entry["song"]["uuid"] for entry in entries))

    async def _cascade(self, tracks: list[str]) -> None:
        found = await self._metadata("/api/v2.25/song/", tracks)
        artists: dict[str, None] = {}
        for track in found:
            self._add_track(track)
            for role, name in (("credited", "artists"), ("main", "mainArtists"), ("featured", "featuredArtists")):
                for position, artist in enumerate(track[name]):
                    artists[artist["uuid"]] = None
                    self.rows["track_artists"].append((track["uuid"], artist["uuid"], role, position))
        work: list[Coroutine[Any, Any, None]] = [self._artists(list(artists))]
        for uuid in artists:
            work += [self._artist_series(uuid, platform, "streaming") for platform in STREAMING]
            work += [self._artist_series(uuid, platform, "followers") for platform in FOLLOWED]
        await asyncio.gather(*work)

    async def _metadata(self, path: str, uuids: list[str]) -> list[dict[str, Any]]:
        answers = await asyncio.gather(*(self._get(path + ",".join(some)) for some in chunks(uuids)))
        # A batch of one UUID is answered as an entity, not as a list.
        return [item for answer in answers for item in answer.get("items") or [answer["object"]]]

    def _add_track(self, t: dict[str, Any]) -> None:
        isrc = (t["isrc"] or {}).get("value")
        fixed = (t["uuid"], t["name"], t["creditName"], isrc, (t["releaseDate"] or "")[:10], t["duration"])
        lists = (json.dumps(t[name]) for name in ("labels", "composers", "producers", "audio"))
        self.rows["tracks"].append((*fixed, *lists))
        self.rows["track_genres"] += genres(t)

    async def _artists(self, uuids: list[str]) -> None:
        fields = ("uuid", "name", "countryCode", "cityName", "biography", "careerStage", "growthLevel", "type")
        for artist in await self._metadata("/api/v2.9/artist/", uuids):
            self.rows["artists"].append(tuple(artist[name] for name in fields))
            self.rows["artist_genres"] += genres(artist)

    async def _track_series(self, uuid: str, platform: str) -> None:
        for item in await self._items(f"/api/v2/song/{uuid}/audience/{platform}", **self._span):
            self.rows["track_audience"] += [
                (uuid, platform, TRACK_METRICS[platform], plot["identifier"] or "", item["date"][:10], plot["value"])
                for plot in item["plots"]
                if plot["value"] is not None
            ]

    async def _plays(self, uuid: str) -> None:
        span: dict[str, str | int] = {
            "startDate": f"{self._day}T00:00:00Z",
            "endDate": f"{self._day}T23:59:59Z",
            "limit": 1,
        }
        answer = await self._get(f"/api/v2/song/{uuid}/broadcasts", **span)
        if answer:
            row = (uuid, "airplay", "spins", "", str(self._day), answer["page"]["total"])
            self.rows["track_audience"].append(row)

    async def _artist_series(self, uuid: str, platform: str, kind: str) -> None:
        if kind == "streaming":
            path, metric = f"/api/v2/artist/{uuid}/streaming/{platform}", STREAMING[platform]
        else:
            path, metric = f"/api/v2.37/artist/{uuid}/social/{platform}/followers/", "followers"
        for item in await self._items(path, **self._span):
            day = item["date"][:10]
            if item["value"] is not None:
                self.rows["artist_audience"].append((uuid, platform, metric, day, item["value"]))
            self.rows["artist_audience_geo"] += [
                (uuid, platform, metric, day, p["countryCode"], p.get("region", ""), p.get("cityName", ""), p["value"])
                for plots in (item["cityPlots"], item["countryPlots"])
                for p in plots
                if p["value"] is not None
            ]


def chunks(uuids: list[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(uuids[start : start + BATCH]) for start in range(0, len(uuids), BATCH))


def genres(entity: dict[str, Any]) -> list[tuple[str, str, str]]:
    return list({(entity["uuid"], g["root"], name): None for g in entity["genres"] for name in ("", *g["sub"])})


def save(path: Path, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        for table, columns in TABLES.items():
            compact = " WITHOUT ROWID" if table in COMPACT else ""
            connection.execute(f"CREATE TABLE {table} ({columns}){compact}")
            marks = ", ".join("?" * len(rows[table][0])) if rows[table] else ""
            connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows[table])  # noqa: S608


async def fetch(arguments: argparse.Namespace) -> Peer:
    headers = {"x-app-id": "soundcharts", "x-api-key": "soundcharts"}
    connector = aiohttp.TCPConnector(limit=arguments.in_flight)
    async with aiohttp.ClientSession(arguments.url, headers=headers, connector=connector) as session:
        peer = Peer(session, arguments.slug, arguments.date, arguments.history_days, arguments.in_flight)
        await peer.run()
        return peer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("slug")
    parser.add_argument("date", type=date.fromisoformat)
    parser.add_argument("database", type=Path, help="an SQLite file that is not there yet")
    parser.add_argument("--history-days", type=int, default=90)
    parser.add_argument("--in-flight", type=int, default=32)
    arguments = parser.parse_args()
    started = time.monotonic()
    peer = asyncio.run(fetch(arguments))
    fetched = time.monotonic()
    save(arguments.database, peer.rows)
    seconds = {"fetch": fetched - started, "store": time.monotonic() - fetched}
    print(json.dumps({"calls": peer.calls, **seconds}))  # noqa: T201


if __name__ == "__main__":
    main()
