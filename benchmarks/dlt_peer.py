"""One chart-day through dlt's rest_api source into SQLite: the same cascade, as its documentation would have it.

Parents and children are resources that resolve one another's fields, every child is `parallelized`, 32 workers, dlt's
own normalisation into tables. Ten UUIDs to a call cannot be said in a rest_api configuration, so two transformers of a
few lines stand between; they cannot know the last row, so the artists of ten tracks are one call, however few are new.
Prints what it took, as JSON.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

STREAMING = ("spotify", "youtube")
FOLLOWED = ("spotify", "youtube", "instagram", "tiktok")
TRACK_PLATFORMS = ("spotify", "youtube", "shazam")
BATCH = 10
SETTINGS = {
    "EXTRACT__WORKERS": "32",
    "EXTRACT__MAX_PARALLEL_ITEMS": "64",
    "NORMALIZE__WORKERS": str(os.cpu_count()),
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}
os.environ |= SETTINGS  # dlt reads them when it is imported

import dlt  # noqa: E402
from dlt.sources.rest_api import rest_api_resources  # noqa: E402

NO_ACCOUNT = [{"status_code": 404, "action": "ignore"}]


def child(name: str, path: str, owner: str, **endpoint: Any) -> dict[str, Any]:
    """A resource that asks once per row of its parent."""
    return {
        "name": name,
        "parallelized": True,
        "include_from_parent": [owner],
        "endpoint": {"path": path, "response_actions": NO_ACCOUNT, **endpoint},
    }


# A batch of one UUID is answered as an entity, not as a list.
ENTITIES = "items[*]|object"
PAGES = {"type": "offset", "limit": 100, "total_path": "page.total"}


def configuration(url: str, resources: list[Any]) -> Any:
    return {
        "client": {
            "base_url": url,
            "headers": {"x-app-id": "soundcharts", "x-api-key": "soundcharts"},
            "paginator": PAGES,
        },
        "resource_defaults": {"write_disposition": "append", "endpoint": {"data_selector": "items"}},
        "resources": resources,
    }


def single(selector: str) -> dict[str, Any]:
    return {"paginator": "single_page", "data_selector": selector}


@dlt.transformer(selected=False)
def track_batches(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, str]]]:
    uuids = [entry["song"]["uuid"] for entry in entries]
    yield [{"uuids": ",".join(uuids[start : start + BATCH])} for start in range(0, len(uuids), BATCH)]


def artist_batches(tracks: Any) -> Any:
    seen: set[str] = set()

    @dlt.transformer(data_from=tracks, selected=False)
    def artist_batches(found: list[dict[str, Any]]) -> Iterator[list[dict[str, str]]]:
        roles = ("artists", "mainArtists", "featuredArtists")
        uuids = {artist["uuid"]: None for track in found for role in roles for artist in track[role]}
        new = [uuid for uuid in uuids if uuid not in seen]
        seen.update(new)
        yield [{"uuids": ",".join(new[start : start + BATCH])} for start in range(0, len(new), BATCH)]

    return artist_batches


def resources(url: str, slug: str, day: date, history_days: int) -> list[Any]:
    span = {"startDate": str(day - timedelta(days=history_days - 1)), "endDate": str(day)}
    plays = {"startDate": f"{day}T00:00:00Z", "endDate": f"{day}T23:59:59Z", "limit": 1}
    published = {
        "name": "published",
        "selected": False,
        "endpoint": {
            "path": f"/api/v2/chart/song/{slug}/available-rankings",
            "params": {"offset": 0, "limit": 100},
            **single("items"),
        },
        "processing_steps": [
            {"filter": lambda stamp: stamp.startswith(str(day))},
            {"map": lambda stamp: {"stamp": stamp}},
        ],
    }
    # A path that ends in a parameter is one entity to rest_api, hence one page, unless its paginator is named.
    path = f"/api/v2.14/chart/song/{slug}/ranking/{{resources.published.stamp}}"
    ranking = child("ranking", path, "stamp", paginator=PAGES)
    song = "{resources.ranking.song.uuid}"
    of_track = [
        child(f"track_{platform}", f"/api/v2/song/{song}/audience/{platform}", "song", params=span)
        for platform in TRACK_PLATFORMS
    ]
    spins = child("track_airplay", f"/api/v2/song/{song}/broadcasts", "song", params=plays, **single("page"))
    top = {r.name: r for r in rest_api_resources(configuration(url, [published, ranking, *of_track, spins]))}

    batches = top["ranking"] | track_batches
    tracks = child("tracks", "/api/v2.25/song/{resources.track_batches.uuids}", "uuids", **single(ENTITIES))
    middle = {r.name: r for r in rest_api_resources(configuration(url, [batches, tracks]))}

    artists = child("artists", "/api/v2.9/artist/{resources.artist_batches.uuids}", "uuids", **single(ENTITIES))
    artist = "{resources.artists.uuid}"
    streaming = [
        child(f"artist_streaming_{p}", f"/api/v2/artist/{artist}/streaming/{p}", "uuid", params=span) for p in STREAMING
    ]
    followers = [
        child(f"artist_followers_{p}", f"/api/v2.37/artist/{artist}/social/{p}/followers/", "uuid", params=span)
        for p in FOLLOWED
    ]
    parents = artist_batches(middle["tracks"])
    bottom = rest_api_resources(configuration(url, [parents, artists, *streaming, *followers]))
    return [*top.values(), *middle.values(), *bottom]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("slug")
    parser.add_argument("date", type=date.fromisoformat)
    parser.add_argument("folder", type=Path, help="where dlt works; the data goes to soundcharts.db in it")
    parser.add_argument("--history-days", type=int, default=90)
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    pipeline = dlt.pipeline(
        "soundcharts",
        pipelines_dir=str(a.folder / "pipelines"),
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{a.folder / 'soundcharts.db'}"),
        dataset_name="main",
    )
    started = time.monotonic()
    pipeline.extract(resources(a.url, a.slug, a.date, a.history_days))
    fetched = time.monotonic()
    pipeline.normalize()
    pipeline.load()
    rows = dict(pipeline.last_trace.last_normalize_info.row_counts)
    print(json.dumps({"fetch": fetched - started, "store": time.monotonic() - fetched, "rows": rows}))  # noqa: T201


if __name__ == "__main__":
    main()
