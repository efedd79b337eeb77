"""One short method per endpoint used, returning records. Each docstring says what it costs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

from soundcharts_pipeline.api import parsing, series
from soundcharts_pipeline.api.endpoints import Endpoints
from soundcharts_pipeline.api.errors import (
    BadRequest,
    IncompleteAnswer,
    NotFound,
    NotInPlan,
    ServerError,
    SoundchartsError,
    UnexpectedPayload,
    UnreadableRecord,
)
from soundcharts_pipeline.api.pages import REFUSALS, WINDOW_DAYS, all_pages, each_page, items_of, total_of
from soundcharts_pipeline.api.remarks import KEPT, LAST_COUNTS, LEFT_OUT, SAID_AGAIN, About, Remarks
from soundcharts_pipeline.api.transport import Transport
from soundcharts_pipeline.api.usage import UsageMeter
from soundcharts_pipeline.models import Artist, Chart, PublishedRanking, Ranking, Series, Track, Window

# One billed call holds up to ten (developers.soundcharts.com, get-artist-metadata-batch).
BATCH_SIZE = 10
# A window this short that is still incomplete is not split further.
SHORTEST_SPLIT_DAYS = 7

RecordT = TypeVar("RecordT", Track, Artist)
ParseSeries = Callable[[list[Any], About], Series]


class SoundchartsClient:
    """Thread-safe. Raises the errors of `api.errors`; never returns a part as the whole. What an answer held that could
    not be taken as it came is in `remarks`."""

    def __init__(self, transport: Transport, endpoints: Endpoints | None = None) -> None:
        self._transport = transport
        self._endpoints = endpoints or Endpoints()
        self._batches_refused = False
        self.remarks = Remarks(transport.redact)

    @property
    def usage(self) -> UsageMeter:
        """The meter of all calls of this client."""
        return self._transport.usage

    def rest(self) -> None:
        """No call follows soon: other clients of the warehouse need not wait for any. It may be used again."""
        self._transport.rest()

    # Charts

    def chart_platforms(self) -> list[str]:
        """Codes of the platforms that have charts. One call."""
        pages = all_pages(partial(self._get, "chart_platforms", {}), "chart_platforms")
        return parsing.platforms([item for page in pages for item in page["items"]], self.remarks)

    def charts(self, platform: str) -> list[Chart]:
        """Every chart of one platform. One call per 100."""
        get = partial(self._get, "charts", {"platform": platform})
        pages = all_pages(get, "charts", key=parsing.chart_row, told=self._doubles("charts", platform))
        return parsing.charts([item for page in pages for item in page["items"]], self.remarks)

    def published_rankings(self, slug: str) -> Iterator[list[PublishedRanking | None]]:
        """Days with a ranking, newest first as a rule, page by page: stop when you have what you want. None stands for
        one whose day cannot be read: while there is one, no day is certain to have none.
        One call per 100 days. Raises NotFound for an unknown slug."""
        for page in each_page(partial(self._get, "available_rankings", {"slug": slug}), "available_rankings"):
            yield parsing.published(page["items"], self.remarks)

    def newest_ranking(self, slug: str) -> tuple[Chart, PublishedRanking]:
        """The chart, under the slug that was asked for, and the day of its newest ranking. One call. Raises NotFound
        for an unknown slug."""
        body = self._get("ranking", {"slug": slug, "datetime": "latest"}, {"offset": 0, "limit": 1})
        chart, published = parsing.newest(body.get("related"), self.remarks)
        return self._as_asked(chart, slug), published

    def ranking(self, published: PublishedRanking, slug: str) -> Ranking:
        """One whole ranking, under the slug that was asked for. One call per 100 places; as many again where it seems
        to have moved meanwhile. Raises UnexpectedPayload for another ranking than the one asked for."""
        parts = {"slug": slug, "datetime": published.timestamp}
        get = partial(self._get, "ranking", parts)
        pages = all_pages(
            get,
            "ranking",
            identity=parsing.ranking_identity,
            key=parsing.ranking_row,
            subject=parsing.ranked_track,
            told=self._doubles("ranking", slug),
        )
        ranking = parsing.ranking(pages, self.remarks)
        if ranking.day != published.day:
            raise UnexpectedPayload(
                f"ranking: asked for {slug} of {published.day}, got {ranking.day}; nothing of it was saved",
                endpoint="ranking",
            )
        return replace(ranking, chart=self._as_asked(ranking.chart, slug))

    def _as_asked(self, chart: Chart, slug: str) -> Chart:
        """Renamed, or written otherwise: it stays the chart that charts.yaml and every stored row know."""
        if chart.slug == slug:
            return chart
        self.remarks.add("ranking", slug, "related.chart.slug", chart.slug, KEPT)
        return replace(chart, slug=slug)

    # Tracks and artists

    def tracks(self, uuids: Sequence[str]) -> dict[str, Track | SoundchartsError]:
        """Metadata of up to ten tracks, or the error that says why there is none, by UUID.

        One call; ten more when the batch is refused. A member that cannot be read is UnreadableRecord. Raises
        UnexpectedPayload when that is so for all of several.
        """
        return self._batch("track", uuids, parsing.track)

    def artists(self, uuids: Sequence[str]) -> dict[str, Artist | SoundchartsError]:
        """Metadata of up to ten artists, or why there is none, by UUID. Costs as `tracks`."""
        return self._batch("artist", uuids, parsing.artist)

    # Audience. A series that the API does not have raises NotFound or has no points; both mean no data.

    def track_audience(self, uuid: str, platform: str, window: Window) -> Series:
        """Totals of one track by identifier. One call."""
        return self._series("track_audience", {"uuid": uuid, "platform": platform}, window, series.track_series)

    def artist_streaming(self, uuid: str, platform: str, window: Window) -> Series:
        """Monthly listeners (spotify) or views (youtube), with cities and countries. One call."""
        return self._series("artist_streaming", {"uuid": uuid, "platform": platform}, window, series.artist_series)

    def artist_followers(self, uuid: str, platform: str, window: Window) -> Series:
        """Followers, with cities and countries where the platform gives them. One call."""
        return self._series("artist_followers", {"uuid": uuid, "platform": platform}, window, series.artist_series)

    def spins(self, uuid: str, day: date) -> int:
        """Radio plays of one UTC day, read off the announced total of the list of plays. One call."""
        span: dict[str, str | int] = {"startDate": f"{day}T00:00:00Z", "endDate": f"{day}T23:59:59Z", "limit": 1}
        return total_of(self._get("track_broadcasts", {"uuid": uuid}, span), "track_broadcasts")

    def spins_by_station(self, uuid: str, day: date) -> int:
        """The same, summed over the stations. One call per 100 stations."""
        get = partial(self._get, "track_broadcast_groups", {"uuid": uuid})
        span = {"startDate": str(day), "endDate": str(day)}
        told = self._doubles("track_broadcast_groups", uuid)
        pages = all_pages(
            lambda page: get({**span, **page}), "track_broadcast_groups", key=parsing.station_row, told=told
        )
        return parsing.plays([item for page in pages for item in page["items"]], self.remarks)

    # Account

    def team_usage(self) -> int | None:
        """Billed calls left in this term, as the server's header says. A free call."""
        self._get("usage", {}, {})
        return self._transport.usage.quota_remaining

    def _doubles(self, endpoint: str, whose: str) -> Callable[[str], None]:
        return partial(self.remarks.about(endpoint, whose).remark, "items", done=SAID_AGAIN)

    def _get(self, endpoint: str, parts: Mapping[str, str], params: Mapping[str, str | int]) -> dict[str, Any]:
        return self._transport.get(endpoint, self._endpoints.path(endpoint, **parts), params)

    def _series(self, endpoint: str, parts: Mapping[str, str], window: Window, parse: ParseSeries) -> Series:
        days = (window.end - window.start).days + 1
        if not 1 <= days <= WINDOW_DAYS:
            raise BadRequest(f"{endpoint}: a window holds 1 to {WINDOW_DAYS} days, not {days}", endpoint=endpoint)
        span = {"startDate": str(window.start), "endDate": str(window.end)}
        try:
            # Pages that contradict each other are asked again, too, as two halves.
            pages = all_pages(lambda page: self._get(endpoint, parts, {**span, **page}), endpoint, tries=1)
        except IncompleteAnswer as incomplete:
            # Long windows of the geographic endpoints were seen cut off silently; shorter ones are whole.
            if days <= SHORTEST_SPLIT_DAYS:
                raise
            middle = window.start + timedelta(days=days // 2)
            halves = Window(window.start, middle - timedelta(days=1)), Window(middle, window.end)
            try:
                early, late = (self._series(endpoint, parts, half, parse) for half in halves)
            except REFUSALS as error:
                # Rows of the whole were given: a refusal of its half is no verdict on the series.
                raise IncompleteAnswer(f"{incomplete}; a half was refused: {error}", endpoint=endpoint) from error
            return Series(early.points + late.points, early.located + late.located)
        about = self.remarks.about(endpoint, parts["uuid"])
        other = parsing.related_uuid(pages[0].get("related"))
        if other not in (None, parts["uuid"]):
            about.remark("related.uuid", other, KEPT)
        items = [item for page in pages for item in page["items"]]
        return parse(series.within(window, items, about), about)

    def _batch(
        self, endpoint: str, uuids: Sequence[str], parse: Callable[[Any, Remarks], RecordT]
    ) -> dict[str, RecordT | SoundchartsError]:
        found: dict[str, RecordT | SoundchartsError] = {}
        refused = False
        if len(uuids) > 1 and not self._batches_refused:
            try:
                body = self._get(endpoint, {"uuid": ",".join(uuids)}, {})
                found = self._members(endpoint, uuids, items_of(body, endpoint), parse)
            except (BadRequest, NotInPlan, NotFound):
                refused = True
        singles = {uuid: self._single(endpoint, uuid, parse) for uuid in uuids if uuid not in found}
        if refused and not any(isinstance(record, SoundchartsError) for record in singles.values()):
            # Every member is fine alone, so it is batches that this plan refuses: do not pay for the next refusal.
            self._batches_refused = True
        return {uuid: found[uuid] if uuid in found else singles[uuid] for uuid in uuids}

    def _single(self, endpoint: str, uuid: str, parse: Callable[[Any, Remarks], RecordT]) -> RecordT | SoundchartsError:
        try:
            item = self._get(endpoint, {"uuid": uuid}, {}).get("object")
            if not isinstance(item, dict):
                return parsing.missing(endpoint, "object")
            record = parse(item, self.remarks)
        except UnreadableRecord as error:
            self.remarks.add(endpoint, uuid, error.field, error.found, LEFT_OUT)
            return error
        except (NotFound, NotInPlan, BadRequest, ServerError, UnexpectedPayload) as error:
            return error
        if record.uuid != uuid:
            # A merged entity may answer under its new UUID; ours stays the one that was asked for.
            self.remarks.add(endpoint, uuid, "uuid", record.uuid, KEPT)
        return replace(record, uuid=uuid)

    def _members(
        self, endpoint: str, uuids: Sequence[str], items: Sequence[Any], parse: Callable[[Any, Remarks], RecordT]
    ) -> dict[str, RecordT | SoundchartsError]:
        """The members of a batch by UUID; one that cannot be read does not spoil the other nine, and is not worth a
        call of its own: it is the same alone. Raises UnexpectedPayload when none of several can be read."""
        found: dict[str, RecordT | SoundchartsError] = {}
        odd: list[tuple[str, UnreadableRecord]] = []
        for item in items:
            one = item.get("object", item) if isinstance(item, dict) else item
            try:
                record = parse(one, self.remarks)
            except UnreadableRecord as error:
                odd.append((parsing.named(one), error))
                continue
            if record.uuid not in uuids:
                self.remarks.add(endpoint, record.uuid, "uuid", "not asked for", LEFT_OUT)
            elif found.setdefault(record.uuid, record) != record:
                self.remarks.add(endpoint, record.uuid, "uuid", "two records", LAST_COUNTS)
                found[record.uuid] = record
        if len(odd) > 1 and len(odd) == len(items):
            raise parsing.missing(endpoint, odd[0][1].field, "missing, or of another type, in every record")
        missing = [uuid for uuid in uuids if uuid not in found]
        nameless = [why for name, why in odd if name not in uuids]
        for name, why in odd:
            self.remarks.add(endpoint, name, why.field, why.found, LEFT_OUT)
            if name in missing:
                found[name] = why
        # Those without a UUID are the members that nothing else was said of, if there are no more of these.
        missing = [uuid for uuid in missing if uuid not in found]
        if len(missing) <= len(nameless):
            found |= dict(zip(missing, nameless, strict=False))
        return found
