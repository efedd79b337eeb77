"""Charts and rankings as the API prints them."""

from datetime import date
from typing import Any

from soundcharts_pipeline.models import RankingEntry, TrackRef
from soundcharts_pipeline.simulator.service.answers import Question, Refusal, collection
from soundcharts_pipeline.simulator.world.catalog import country_name
from soundcharts_pipeline.simulator.world.chart_list import METRICS, PLATFORM_NAMES, ChartPlan
from soundcharts_pipeline.simulator.world.world import World

Payload = dict[str, Any]


def chart_platforms(_world: World, question: Question) -> Payload:
    """Platforms that publish charts."""
    return collection(question, [{"name": name, "code": code} for code, name in PLATFORM_NAMES.items()])


def charts(world: World, question: Question) -> Payload:
    """The charts of one platform, of one country if asked. Raises Refusal: 404 for the platform, 400 for the
    country."""
    platform, country = question.parts["platform"], question.query.get("countryCode")
    if platform not in PLATFORM_NAMES:
        raise Refusal(404, "Platform not found.")
    if country is not None and not (len(country) == 2 and country.isalpha()):
        raise Refusal(400, "Parameter countryCode is not a valid ISO-2 country code.")
    plans = [
        plan
        for plan in world.plans.values()
        if plan.platform == platform and (country is None or plan.country_code == country.upper())
    ]
    return collection(question, [chart_object(plan) for plan in plans])


def available_rankings(world: World, question: Question) -> Payload:
    """Timestamps of the published rankings, newest first."""
    plan = _plan(world, question)
    stamps = [published.timestamp for published in world.published_days(plan.slug)]
    return collection(question, stamps, related=chart_object(plan))


def ranking(world: World, question: Question) -> Payload:
    """One ranking: `latest`, or that of one exact timestamp. Raises Refusal (404) when there is none."""
    plan, asked = _plan(world, question), question.parts["datetime"]
    try:
        day = world.newest_day(plan.slug) if asked == "latest" else date.fromisoformat(asked[:10])
        if day is None or asked not in ("latest", world.timestamp(plan.slug, day)):
            raise LookupError(asked)
        items = _ranking_items(world, plan, day)
    except (LookupError, ValueError):
        raise Refusal(404, "Ranking not found.") from None
    return collection(question, items, related=_ranking_related(plan, world.timestamp(plan.slug, day)))


def _plan(world: World, question: Question) -> ChartPlan:
    plan = world.plans.get(question.parts["slug"])
    if plan is None:
        raise Refusal(404, "Chart not found.")
    return plan


def chart_object(plan: ChartPlan) -> Payload:
    """A chart in a list."""
    return {
        "name": plan.name,
        "type": "song",
        "slug": plan.slug,
        "platform": plan.platform,
        "frequency": "weekly" if plan.weekly else "daily",
        "countryCode": plan.country_code,
        "countryName": country_name(plan.country_code),
        "cityName": plan.city_name,
        "maxResultsCount": plan.size,
        "webUrl": plan.web_url,
    }


def _ranking_related(plan: ChartPlan, stamp: str) -> Payload:
    chart = chart_object(plan)
    # A ranking prints its chart with empty text where the list of charts has null.
    chart["countryCode"] = plan.country_code or ""
    chart["countryName"] = country_name(plan.country_code) or "Worldwide"
    chart["cityName"] = plan.city_name or ""
    metric = METRICS.get(plan.platform)
    chart["metric"] = {"type": metric[0], "description": metric[1]} if metric else None
    return {"chart": chart, "date": stamp}


def _ranking_items(world: World, plan: ChartPlan, day: date) -> list[Payload]:
    stamp = world.timestamp(plan.slug, day)
    bare = world.oddities.on("bare-rankings")
    items = [_entry_item(entry, stamp, bare=bare) for entry in world.ranking(plan.slug, day).entries]
    if bare:
        # Tracks that have left are listed with position 0, after the ranking or between its rows.
        for number, (track, place) in enumerate(world.departed(plan.slug, day)[:3]):
            items.insert(len(items) if number else len(items) // 2, _left_item(track, place, stamp))
    return items


def _entry_item(entry: RankingEntry, stamp: str, *, bare: bool) -> Payload:
    new = entry.old_position is None and not entry.position_change
    # A new entry was recorded with 0 and documented with null: both mean none.
    none = None if bare and entry.position % 2 else 0
    minute = int(entry.track.uuid[:8], 16) % 1_440
    item: Payload = {
        "song": track_ref_object(entry.track),
        "position": entry.position,
        "positionEvolution": none if new else entry.position_change,
        "oldPosition": none if new else entry.old_position,
        "metric": entry.metric,
        "entryState": "",
        "entryDate": entry.entry_date and f"{entry.entry_date}T{minute // 60:02}:{minute % 60:02}:00+00:00",
        "rankDate": stamp,
        "timeOnChart": entry.time_on_chart,
        "timeOnChartUnit": entry.time_on_chart_unit,
    }
    if bare and entry.position % 3 == 0:
        return {key: value for key, value in item.items() if value is not None}
    return item


def _left_item(track: TrackRef, place: int, stamp: str) -> Payload:
    return {
        "song": track_ref_object(track),
        "position": 0,
        "positionEvolution": 0,
        "oldPosition": place,
        "metric": None,
        "entryState": "",
        "entryDate": None,
        "rankDate": stamp,
        "timeOnChart": None,
        "timeOnChartUnit": None,
    }


def track_ref_object(track: TrackRef) -> Payload:
    """A track as rankings and series name it."""
    return {
        "uuid": track.uuid,
        "name": track.name,
        "creditName": track.credit_name,
        "imageUrl": track.image_url,
    }
