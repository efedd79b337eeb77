"""What pictures of a chart-day show: a few lines of points each, by name."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise

from sqlalchemy import Connection, func, select

from soundcharts_pipeline.storage import schema as s

RANKED_TRACKS, RANKED_DAYS = 10, 30
SERIES, SERIES_DAYS = 5, 90
SPINS, LEVELS = "spins", ("followers", "monthly_listeners")

Points = list[tuple[date, int]]


def chart_name(conn: Connection, slug: str) -> str:
    """What people call the chart."""
    return conn.scalar(select(s.charts.c.name).where(s.charts.c.slug == slug)) or slug


def rank_lines(conn: Connection, slug: str, day: date) -> dict[str, Points]:
    """Positions of the day's top tracks over the weeks before, best first."""
    t, n = s.chart_rankings, s.tracks
    top = select(t.c.track_uuid).where(t.c.chart_slug == slug, t.c.rank_date == day, t.c.position <= RANKED_TRACKS)
    query = (
        select(t.c.track_uuid, n.c.name, t.c.rank_date, func.min(t.c.position))
        .join(n, n.c.uuid == t.c.track_uuid)
        .where(t.c.chart_slug == slug, t.c.rank_date.between(day - timedelta(days=RANKED_DAYS - 1), day))
        .where(t.c.track_uuid.in_(top))
        .group_by(t.c.track_uuid, n.c.name, t.c.rank_date)
    )
    found: dict[tuple[str, str], Points] = defaultdict(list)
    for uuid, name, on, position in conn.execute(query.order_by(t.c.rank_date)):
        found[uuid, name].append((on, position))
    return dict(sorted(_named(found).items(), key=lambda line: line[1][-1][1]))


def series_lines(conn: Connection, slug: str, day: date, entity: str, platform: str) -> dict[str, dict[str, Points]]:
    """By what is shown: the series of the best placed tracks or artists, best first, all identifiers together. Of
    totals it is what each day brought, for the totals themselves look like level lines."""
    points = s.track_audience if entity == "track" else s.artist_audience
    names = s.tracks if entity == "track" else s.artists
    owner = points.c[f"{entity}_uuid"]
    best = _best(conn, slug, day, entity)
    query = (
        select(points.c.metric, owner, names.c.name, points.c.date, func.sum(points.c.value), func.count())
        .join(names, names.c.uuid == owner)
        .where(owner.in_(best), points.c.platform == platform)
        .where(points.c.date.between(day - timedelta(days=SERIES_DAYS - 1), day))
        .group_by(points.c.metric, owner, names.c.name, points.c.date)
    )
    of_metric: dict[str, dict[tuple[str, str], list[tuple[date, int, int]]]] = defaultdict(lambda: defaultdict(list))
    for metric, uuid, name, on, value, identifiers in conn.execute(query.order_by(points.c.date)):
        of_metric[metric][uuid, name].append((on, int(value), identifiers))
    shown = {}
    for metric, of_entity in sorted(of_metric.items()):
        is_total = entity == "track" and metric != SPINS
        lines = {of: _gains(_whole(found)) if is_total else _whole(found) for of, found in of_entity.items()}
        ordered = {of: lines[of] for of in sorted(lines, key=lambda of: best.index(of[0])) if lines[of]}
        if ordered:
            shown[metric if metric in LEVELS else f"{metric} a day"] = _named(ordered)
    return shown


def _best(conn: Connection, slug: str, day: date, entity: str) -> list[str]:
    t, k = s.chart_rankings, s.track_artists
    uuid = t.c.track_uuid if entity == "track" else k.c.artist_uuid
    source = t if entity == "track" else t.join(k, k.c.track_uuid == t.c.track_uuid)
    query = select(uuid).select_from(source).where(t.c.chart_slug == slug, t.c.rank_date == day).group_by(uuid)
    return list(conn.scalars(query.order_by(func.min(t.c.position), uuid).limit(SERIES)))


def _whole(found: list[tuple[date, int, int]]) -> Points:
    """Days on which every identifier has a value: a sum that lacks one of them would look like a fall."""
    every = max(identifiers for *_, identifiers in found)
    return [(on, value) for on, value, identifiers in found if identifiers == every]


def _gains(points: Points) -> Points:
    """What single days brought; a day after a missing one, or on which the total fell, has no gain."""
    pairs = pairwise(points)
    return [(on, value - last) for (before, last), (on, value) in pairs if (on - before).days == 1 and value >= last]


def _named(found: Mapping[tuple[str, str], Points]) -> dict[str, Points]:
    """Lines by name; two tracks of one name stay two lines."""
    names = [name for _, name in found]
    return {name if names.count(name) == 1 else f"{name} ({uuid[:8]})": line for (uuid, name), line in found.items()}
