"""What a ranking says, alone and beside the rankings before it, as frames."""

from collections import defaultdict
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, and_, case, func, select

from soundcharts_pipeline.analysis.archived import RANKING, ranking_rows
from soundcharts_pipeline.analysis.days import known_days, never_ranked
from soundcharts_pipeline.analysis.frames import filled, frame
from soundcharts_pipeline.storage.housekeeping.cold import Archive, Row
from soundcharts_pipeline.storage.queries.rankings import day_before, moves_of
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.tables import views as v

DAYS_A_WEEK = 7
# Of a database and of a frame: 64 bits.
MOST_NUMBER = 2**63
MOVEMENTS = ("new", "re-entry", "up", "down", "same", "out")


def rankings(conn: Connection, archive: Archive, slug: str, first: date, last: date) -> pd.DataFrame:
    """Positions by day and place. Raises NoRanking for a chart that has no ranking of any day."""
    t = v.chart_history.table
    if archive.parts(conn, s.chart_rankings.name, first, last):
        found = filled(list(t.c), _with_names(conn, slug, ranking_rows(conn, archive, slug, first, last)))
    else:
        query = select(t).where(t.c.chart_slug == slug, t.c.rank_date.between(first, last))
        found = frame(conn, query.order_by(t.c.rank_date, t.c.position, t.c.track_uuid))
    if found.empty and not known_days(conn, slug):
        raise never_ranked(conn, slug)
    return found


def _with_names(conn: Connection, slug: str, rows: list[Row]) -> list[Row]:
    """Rows of `chart_rankings` as the view `chart_history` shows them."""
    chart = conn.execute(select(s.charts.c.name.label("chart"), s.charts.c.platform).where(s.charts.c.slug == slug))
    of_chart, t, found = chart.mappings().first(), s.tracks.c, []
    track = RANKING.index("track_uuid")
    names = select(t.uuid, t.name.label("track"), t.credit_name, t.isrc)
    names = names.where(t.uuid.in_({row[track] for row in rows}))
    tracks = {row["uuid"]: row for row in conn.execute(names).mappings()}
    for row in rows:
        if of_chart and (of_track := tracks.get(row[track])):
            said = {**dict(zip(RANKING, row, strict=True)), **of_chart, **of_track}
            found.append(tuple(said[column.name] for column in v.chart_history.table.c))
    return found


def movers(conn: Connection, slug: str, day: date) -> pd.DataFrame:
    """The ranking by position, then those that the ranking published before still had, if it is stored."""
    before, moves = day_before(conn, slug, day), moves_of(conn, slug, day)
    now = _with_past(conn, slug, day, day)
    of_places = [moves[spot] for spot in zip(now["position"], now["track_uuid"], strict=True)]
    now["old_position"] = pd.Series([move.old_position for move in of_places], dtype="Int64")
    now["change"] = pd.Series([move.change for move in of_places], dtype="Int64")
    now["movement"] = pd.Series([move.kind for move in of_places], dtype="str")
    now["previous_day"] = pd.Series([before] * len(now), dtype="datetime64[s]")
    if before is None:
        return now
    last = _with_past(conn, slug, before, day)
    # A track may have stood on several positions, and has left once: from the best of them.
    out = last[~last["track_uuid"].isin(now["track_uuid"])].drop_duplicates("track_uuid").copy()
    out["old_position"], out["position"], out["change"] = out["position"], pd.NA, pd.NA
    out["movement"], out["metric"] = "out", pd.NA
    out["rank_date"] = now["rank_date"].iloc[0]
    out["previous_day"] = now["previous_day"].iloc[0]
    return pd.concat([now, out.astype(now.dtypes.to_dict())], ignore_index=True)


def _with_past(conn: Connection, slug: str, day: date, until: date) -> pd.DataFrame:
    """The ranking of the day, with what the stored rankings up to `until` know of each track."""
    h, r = v.chart_history.table, s.chart_rankings
    past = (
        select(
            r.c.track_uuid,
            func.min(r.c.position).label("peak_position"),
            func.count(r.c.rank_date.distinct()).label("days_ranked"),
            func.min(r.c.rank_date).label("first_ranked"),
        )
        .where(r.c.chart_slug == slug, r.c.rank_date <= until)
        .group_by(r.c.track_uuid)
        .subquery()
    )
    query = (
        select(
            *(h.c.chart_slug, h.c.rank_date, h.c.position, h.c.track_uuid, h.c.track, h.c.credit_name),
            *(h.c.old_position, h.c.position_change.label("change"), h.c.metric, h.c.metric_type),
            *(past.c.peak_position, past.c.days_ranked, past.c.first_ranked),
            *(h.c.time_on_chart, h.c.time_on_chart_unit),
        )
        .join(past, past.c.track_uuid == h.c.track_uuid)
        .where(h.c.chart_slug == slug, h.c.rank_date == day)
    )
    found = frame(conn, query.order_by(h.c.position, h.c.track_uuid))
    weeks = found["time_on_chart"].where(found["time_on_chart_unit"] == "WOC")
    by_days = -(-found["time_on_chart"].where(found["time_on_chart_unit"] == "DOC") // DAYS_A_WEEK)
    found["weeks_on_chart"] = weeks.fillna(by_days)
    return found.drop(columns=["time_on_chart", "time_on_chart_unit"])


def presence(conn: Connection, slug: str, day: date) -> pd.DataFrame:
    """The ranking's tracks on every chart, each chart by its newest stored ranking up to the day; of several positions
    there the best."""
    r, h = s.chart_rankings, v.chart_history.table
    newest = (
        select(r.c.chart_slug, func.max(r.c.rank_date).label("rank_date"))
        .where(r.c.rank_date <= day)
        .group_by(r.c.chart_slug)
        .subquery()
    )
    one = (h.c.track_uuid, h.c.track, h.c.credit_name, h.c.chart_slug, h.c.chart, h.c.platform, h.c.rank_date)
    best = func.min(h.c.position)
    query = (
        select(*one, best.label("position"))
        .join(newest, and_(newest.c.chart_slug == h.c.chart_slug, newest.c.rank_date == h.c.rank_date))
        .where(h.c.track_uuid.in_(_tracks(slug, day)))
        .group_by(*one)
    )
    return frame(conn, query.order_by(h.c.track_uuid, best, h.c.chart_slug))


def artists(conn: Connection, slug: str, day: date) -> pd.DataFrame:
    """Artists by best place. Whoever is credited in several roles counts once for a track."""
    r, a = s.chart_rankings, s.artists
    credit = select(s.track_artists.c.track_uuid, s.track_artists.c.artist_uuid).distinct().subquery()
    query = (
        select(
            credit.c.artist_uuid,
            a.c.name.label("artist"),
            a.c.country_code,
            func.count(r.c.track_uuid.distinct()).label("tracks"),
            func.min(r.c.position).label("best_position"),
            func.count(case((r.c.metric.is_not(None), r.c.track_uuid)).distinct()).label("tracks_with_metric"),
        )
        .select_from(r.join(credit, credit.c.track_uuid == r.c.track_uuid).join(a, a.c.uuid == credit.c.artist_uuid))
        .where(r.c.chart_slug == slug, r.c.rank_date == day)
        .group_by(credit.c.artist_uuid, a.c.name, a.c.country_code)
    )
    found = frame(conn, query.order_by(func.min(r.c.position), a.c.name, credit.c.artist_uuid))
    counted = select(credit.c.artist_uuid, r.c.metric).join(r, credit.c.track_uuid == r.c.track_uuid)
    sums: dict[str, int] = defaultdict(int)
    counted = counted.where(r.c.chart_slug == slug, r.c.rank_date == day, r.c.metric.is_not(None))
    for uuid, metric in conn.execute(counted):
        sums[uuid] += metric
    # Added up here: a database fails at a sum that is no number of its own, and a frame has none of it.
    known = [sums[uuid] if uuid in sums and sums[uuid] < MOST_NUMBER else None for uuid in found["artist_uuid"]]
    found.insert(found.columns.get_loc("tracks_with_metric"), "metric", pd.Series(known, dtype="Int64"))  # type: ignore[arg-type]
    return found


def genre_shares(conn: Connection, slug: str, day: date) -> pd.DataFrame:
    """Root genres, largest share first."""
    t = _tracks(slug, day).subquery()
    roots = (
        select(s.track_genres.c.track_uuid, s.genres.c.root)
        .join(s.genres, s.genres.c.id == s.track_genres.c.genre_id)
        .distinct()
        .subquery()
    )
    query = select(t.c.track_uuid, roots.c.root.label("genre")).outerjoin(roots, roots.c.track_uuid == t.c.track_uuid)
    return _shares(frame(conn, query), "genre")


def country_shares(conn: Connection, slug: str, day: date) -> pd.DataFrame:
    """Countries of main artists, largest share first."""
    t, k = _tracks(slug, day).subquery(), s.track_artists
    countries = (
        select(k.c.track_uuid, s.artists.c.country_code.label("country"))
        .join(s.artists, s.artists.c.uuid == k.c.artist_uuid)
        .where(k.c.role == "main", s.artists.c.country_code.is_not(None))
        .distinct()
        .subquery()
    )
    query = select(t.c.track_uuid, countries.c.country)
    return _shares(frame(conn, query.outerjoin(countries, countries.c.track_uuid == t.c.track_uuid)), "country")


def _shares(of_tracks: pd.DataFrame, name: str) -> pd.DataFrame:
    """`tracks`: how many have it; `share` of the ranking, where a track of several counts in equal parts."""
    of_tracks["share"] = 1 / of_tracks.groupby("track_uuid")["track_uuid"].transform("size")
    grouped = of_tracks.groupby(name, dropna=False, sort=False)
    found = grouped.agg(tracks=("track_uuid", "size"), share=("share", "sum")).reset_index()
    found["share"] /= max(of_tracks["track_uuid"].nunique(), 1)
    found = found.astype({"tracks": "Int64", "share": "Float64"})
    return found.sort_values(["share", name], ascending=[False, True], ignore_index=True)


def _tracks(slug: str, day: date) -> Select[Any]:
    t = s.chart_rankings
    return select(t.c.track_uuid).distinct().where(t.c.chart_slug == slug, t.c.rank_date == day)
