"""The shapes of the API's items: every key the pipeline reads, and which of them are required.

Only fields marked as always filled in the API reference are required. Unknown fields are ignored. '' is None, and so
are a blank name and an object that PHP prints as `[]`. An optional field of another form than foreseen is empty, and an
item of a list that cannot be read is left out; the context of the validation, an `About`, takes a remark of each.
"""

from datetime import date
from functools import partial
from typing import Annotated, Any, cast

from annotated_types import Ge
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticOmit

from soundcharts_pipeline.api.remarks import ABSENT, LEFT_EMPTY, LEFT_OUT, About
from soundcharts_pipeline.api.values import (
    calendar_day,
    document,
    key_text,
    listed,
    name_text,
    text,
    uuid_text,
    whole_number,
)


def odd_part(error: ValidationError) -> tuple[str, Any, str]:
    """What a validation stumbled over first: path of the key, the value found there, and what is wrong with it."""
    first = error.errors(include_url=False)[0]
    found = ABSENT if first["type"] == "missing" else first["input"]
    return (
        ".".join(part for part in first["loc"] if isinstance(part, str)),
        found,
        first["msg"].lower().removeprefix("value error, "),
    )


def _about(info: ValidationInfo) -> About:
    return cast(About, info.context)


def _optional(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if value is None or value == "" or value == []:
        return None
    about = _about(info)
    about.path.append(to_camel(str(info.field_name)))
    try:
        return read(value)
    except ValidationError as error:
        field, found, _ = odd_part(error)
        about.remark(field, found, LEFT_EMPTY)
        return None
    finally:
        about.path.pop()


def _item(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    try:
        return read(value)
    except ValidationError as error:
        field, found, _ = odd_part(error)
        _about(info).remark(field, found, LEFT_OUT)
        raise PydanticOmit from None


def _none_if_zero_date(value: Any) -> date | None:
    # PHP prints an unset date of a database as the year 0, or as the last day of the year before it.
    return None if isinstance(value, str) and value.startswith(("0000-", "-0001-")) else calendar_day(value)


def _as_genre(value: Any) -> Any:
    return {"root": value} if isinstance(value, str) else value


def _as_label(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _isrc(value: Any) -> Any:
    return value.get("value") if isinstance(value, dict) else value


def _none_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _whole(bits: int) -> BeforeValidator:
    return BeforeValidator(partial(whole_number, bits=bits))


OPTIONAL, ITEM = WrapValidator(_optional), WrapValidator(_item)
ITEMS = (BeforeValidator(listed), OPTIONAL, AfterValidator(lambda found: found or []))

AnyText = Annotated[str, BeforeValidator(text)]
Name = Annotated[str, BeforeValidator(name_text)]
KeyText = Annotated[str, BeforeValidator(key_text)]
Uuid = Annotated[str, BeforeValidator(uuid_text)]
Number = Annotated[int, _whole(32)]
Text = Annotated[str | None, BeforeValidator(text), OPTIONAL]
OptionalName = Annotated[str | None, BeforeValidator(text), OPTIONAL, BeforeValidator(_none_if_blank)]
Whole = Annotated[int | None, _whole(32), OPTIONAL]
BigWhole = Annotated[int | None, _whole(64), OPTIONAL]
Flag = Annotated[bool | None, OPTIONAL]
OptionalDay = Annotated[date | None, BeforeValidator(_none_if_zero_date), OPTIONAL]
Object = Annotated[dict[str, Any] | None, BeforeValidator(document), OPTIONAL]
Texts = Annotated[list[Annotated[str, BeforeValidator(text), ITEM]], *ITEMS]
KeyTexts = Annotated[list[Annotated[str, BeforeValidator(key_text), ITEM]], *ITEMS]


class Item(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class ChartMetricItem(Item):
    type: Text = None


class ChartItem(Item):
    slug: KeyText
    name: AnyText
    platform: AnyText
    country_code: Text = None
    city_name: Text = None
    frequency: Text = None
    type: Text = None
    max_results_count: Whole = None
    web_url: Text = None
    metric: Annotated[ChartMetricItem | None, OPTIONAL] = None


class TrackRefItem(Item):
    uuid: Uuid
    name: OptionalName = None
    credit_name: Text = None
    image_url: Text = None


class EntryItem(Item):
    song: TrackRefItem
    position: Annotated[Number, Ge(0)]
    position_evolution: Whole = None
    old_position: Whole = None
    metric: BigWhole = None
    entry_state: Text = None
    entry_date: OptionalDay = None
    time_on_chart: Whole = None
    time_on_chart_unit: Text = None


class RankingRelatedItem(Item):
    chart: ChartItem
    date: str


class ArtistRefItem(Item):
    uuid: Uuid
    name: OptionalName = None
    slug: Text = None
    app_url: Text = None
    image_url: Text = None


class GenreItem(Item):
    root: KeyText
    sub: KeyTexts = []


Genres = Annotated[list[Annotated[GenreItem, BeforeValidator(_as_genre), ITEM]], *ITEMS]
ArtistRefs = Annotated[list[Annotated[ArtistRefItem, ITEM]], *ITEMS]
Labels = Annotated[list[Annotated[dict[str, Any], BeforeValidator(document), BeforeValidator(_as_label), ITEM]], *ITEMS]


class TrackItem(Item):
    uuid: Uuid
    name: Name
    slug: Text = None
    credit_name: Text = None
    image_url: Text = None
    isrc: Annotated[str | None, BeforeValidator(text), OPTIONAL, BeforeValidator(_isrc)] = None
    release_date: OptionalDay = None
    duration: Whole = None
    explicit: Flag = None
    language_code: Text = None
    copyright: Text = None
    distributor: Text = None
    app_url: Text = None
    preview_url: Text = None
    labels: Labels = []
    composers: Texts = []
    producers: Texts = []
    iswcs: Texts = []
    audio: Object = None
    artists: ArtistRefs = []
    main_artists: ArtistRefs = []
    featured_artists: ArtistRefs = []
    genres: Genres = []


class ArtistItem(Item):
    uuid: Uuid
    name: Name
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
    play_count: Annotated[Number, Ge(0)]
    radio: Annotated[StationRefItem | None, OPTIONAL] = None


class NamedPlatformItem(Item):
    code: AnyText
