"""The shapes of the API's items: every key the pipeline reads, and which of them are required.

Only fields marked as always filled in the API reference are required. Unknown fields are ignored, '' is None,
and an object that PHP prints as `[]` is None.
"""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


def _none_if_empty(value: Any) -> Any:
    return None if value == "" or value == [] else value


def _day(value: Any) -> Any:
    # The calendar day is the first ten characters; converting the rest to UTC could move it a day back.
    return value[:10] if isinstance(value, str) else value


def _none_if_zero_date(value: Any) -> Any:
    # PHP prints an unset date of a database as the year 0, or as the last day of the year before it.
    return None if isinstance(value, str) and value.startswith(("0000-", "-0001-")) else value


def _list(value: Any) -> Any:
    return [item for item in value if item not in (None, "")] if isinstance(value, list) else value or []


def _isrc(value: Any) -> Any:
    return value.get("value") if isinstance(value, dict) else value


def _as_genre(value: Any) -> Any:
    return {"root": value} if isinstance(value, str) else value


def _as_label(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Text = Annotated[str | None, BeforeValidator(_none_if_empty)]
Whole = Annotated[int | None, BeforeValidator(_none_if_empty)]
Flag = Annotated[bool | None, BeforeValidator(_none_if_empty)]
Day = Annotated[date, BeforeValidator(_day)]
OptionalDay = Annotated[
    date | None, BeforeValidator(_day), BeforeValidator(_none_if_zero_date), BeforeValidator(_none_if_empty)
]
Object = Annotated[dict[str, Any] | None, BeforeValidator(_none_if_empty)]


class Item(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", coerce_numbers_to_str=True)


class ChartMetricItem(Item):
    type: Text = None


class ChartItem(Item):
    slug: str
    name: str
    platform: str
    country_code: Text = None
    city_name: Text = None
    frequency: Text = None
    type: Text = None
    max_results_count: Whole = None
    web_url: Text = None
    metric: Annotated[ChartMetricItem | None, BeforeValidator(_none_if_empty)] = None


class TrackRefItem(Item):
    uuid: str
    name: str
    credit_name: Text = None
    image_url: Text = None


class EntryItem(Item):
    song: TrackRefItem
    position: int
    position_evolution: Whole = None
    old_position: Whole = None
    metric: Whole = None
    entry_state: Text = None
    entry_date: OptionalDay = None
    time_on_chart: Whole = None
    time_on_chart_unit: Text = None


class RankingRelatedItem(Item):
    chart: ChartItem
    date: str


class ArtistRefItem(Item):
    uuid: str
    name: str
    slug: Text = None
    app_url: Text = None
    image_url: Text = None


class GenreItem(Item):
    root: str
    sub: Annotated[list[str], BeforeValidator(_list)] = []


Genres = Annotated[list[Annotated[GenreItem, BeforeValidator(_as_genre)]], BeforeValidator(_list)]
ArtistRefs = Annotated[list[ArtistRefItem], BeforeValidator(_list)]
Texts = Annotated[list[str], BeforeValidator(_list)]


class TrackItem(Item):
    uuid: str
    name: str
    slug: Text = None
    credit_name: Text = None
    image_url: Text = None
    isrc: Annotated[Text, BeforeValidator(_isrc)] = None
    release_date: OptionalDay = None
    duration: Whole = None
    explicit: Flag = None
    language_code: Text = None
    copyright: Text = None
    distributor: Text = None
    app_url: Text = None
    preview_url: Text = None
    labels: Annotated[list[Annotated[dict[str, Any], BeforeValidator(_as_label)]], BeforeValidator(_list)] = []
    composers: Texts = []
    producers: Texts = []
    iswcs: Texts = []
    audio: Object = None
    artists: ArtistRefs = []
    main_artists: ArtistRefs = []
    featured_artists: ArtistRefs = []
    genres: Genres = []


class ArtistItem(Item):
    uuid: str
    name: str
    slug: Text = None
    image_url: Text = None
    app_url: Text = None
    web_url: Text = None
    country_code: Text = None
    city_name: Text = None
    biography: Text = None
    career_stage: Text = None
    growth_level: Text = None
    gender: Text = None
    type: Text = None
    birth_date: OptionalDay = None
    isni: Text = None
    ipi: Text = None
    genres: Genres = []


class StationRefItem(Item):
    slug: Text = None


class StationItem(Item):
    play_count: int
    radio: Annotated[StationRefItem | None, BeforeValidator(_none_if_empty)] = None


class NamedPlatformItem(Item):
    name: str
    code: str
