"""The truth: what Soundcharts has, and what a client that makes no mistake stores of it.

A World depends on its seed, its oddities and, for what is already published, on its date. The date never
changes a value. The routes print the same world; tests compare a database with it, row by row.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache

from soundcharts_pipeline import models
from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.simulator.world import holes
from soundcharts_pipeline.simulator.world.accounts import SOCIAL, STREAMING, TRACK_METRICS, Account, Accounts
from soundcharts_pipeline.simulator.world.airplay import Airplay
from soundcharts_pipeline.simulator.world.catalog import catalog_of
from soundcharts_pipeline.simulator.world.chart_list import METRICS, ChartPlan, chart_plans
from soundcharts_pipeline.simulator.world.oddities import DATED_AHEAD_DAYS, Absence, Oddities, named
from soundcharts_pipeline.simulator.world.publication import Row, points_of, published, series_of
from soundcharts_pipeline.simulator.world.rankings import ChartWalk, Placing, walk_of
from soundcharts_pipeline.simulator.world.seeding import fingerprint, unit


class World:
    """Charts, tracks, artists and series of one seed. `today` None means the current UTC date, always anew."""

    def __init__(self, seed: int = 1, today: date | None = None, oddities: frozenset[str] = frozenset()) -> None:
        self.seed = seed
        self.catalog = catalog_of(seed)
        self.plans = chart_plans()
        self.accounts = Accounts(self.catalog)
        self.airplay = Airplay(self.catalog)
        self.oddities = Oddities(seed, named(oddities))
        self.versions: dict[tuple[str, date], int] = {}
        self._today = today
        self._whole_ranking = lru_cache(maxsize=128)(self._build_ranking)

    @property
    def today(self) -> date:
        """The date on which the world is asked."""
        return self._today or utc_now().date()

    @today.setter
    def today(self, today: date | None) -> None:
        self._today = today

    def charts(self) -> tuple[models.Chart, ...]:
        """Every chart of the catalog."""
        return tuple(plan.record() for plan in self.plans.values())

    def published_days(self, slug: str) -> tuple[models.PublishedRanking, ...]:
        """The rankings of a chart that are out, newest first. A ranking is out the day after its own."""
        plan = self.plans[slug]
        newest = (self._unpublished_from(plan) - plan.first_day).days - 1
        days = (plan.first_day + timedelta(days=age) for age in range(newest // plan.step * plan.step, -1, -plan.step))
        return tuple(models.PublishedRanking(day, self.timestamp(slug, day)) for day in days)

    def publish_again(self, slug: str, day: date) -> str:
        """A new version of a ranking, an hour later than the last one, in which two tracks have changed places, first
        those at the top. Returns its timestamp."""
        self.ranking_number(slug, day)
        self.versions[slug, day] = self.versions.get((slug, day), 0) + 1
        return self.timestamp(slug, day)

    def version(self, slug: str, day: date) -> int:
        """How often the ranking was published again."""
        return self.versions.get((slug, day), 0) + self.oddities.published_again(slug, day, self.today)

    def timestamp(self, slug: str, day: date) -> str:
        """How the newest version of the ranking of a day is asked for."""
        first, hours = self.plans[slug].timestamp(day), timedelta(hours=self.version(slug, day))
        return (datetime.fromisoformat(first) + hours).isoformat() if hours else first

    def newest_day(self, slug: str) -> date | None:
        """The day of the newest published ranking, if there is one."""
        plan = self.plans[slug]
        number = ((self._unpublished_from(plan) - plan.first_day).days - 1) // plan.step
        return plan.first_day + timedelta(days=number * plan.step) if number >= 0 else None

    def ranking(self, slug: str, day: date) -> models.Ranking:
        """A published ranking as a client stores it. LookupError when there is none on that day."""
        number = self.ranking_number(slug, day)
        whole = holes.later_version(self._whole_ranking(slug, day, number), self.version(slug, day))
        return holes.ranking_with_holes(holes.ranking_with_ties(whole, self.oddities), self.oddities)

    def departed(self, slug: str, day: date) -> list[tuple[models.TrackRef, int]]:
        """Tracks that left the chart with this ranking, and their last place."""
        number = self.ranking_number(slug, day)
        return [(self.track_ref(track), place) for track, place in self._walk(slug).departed(number)]

    def ranking_number(self, slug: str, day: date) -> int:
        """The place of a published day in its chart's history. Raises LookupError when that day has no ranking."""
        plan = self.plans[slug]
        number, rest = divmod((day - plan.first_day).days, plan.step)
        if number < 0 or rest or day >= self._unpublished_from(plan):
            raise LookupError(f"{slug} has no ranking on {day}")
        return number

    def _unpublished_from(self, plan: ChartPlan) -> date:
        """The first day whose ranking cannot be out yet."""
        ahead = DATED_AHEAD_DAYS + 1 if plan.weekly and self.oddities.on("dated-ahead") else 0
        return self.today + timedelta(days=ahead)

    def _walk(self, slug: str) -> ChartWalk:
        return walk_of(self.seed, slug)

    def _build_ranking(self, slug: str, day: date, number: int) -> models.Ranking:
        plan = self.plans[slug]
        metric = METRICS.get(plan.platform)
        seed = fingerprint(self.seed, "metric", slug, day)
        return models.Ranking(
            chart=plan.record(),
            day=day,
            metric_type=metric[0] if metric else None,
            entries=tuple(self._entry(plan, seed, placing) for placing in self._walk(slug).placings(number)),
        )

    def _entry(self, plan: ChartPlan, seed: int, placing: Placing) -> models.RankingEntry:
        old = placing.old_position
        return models.RankingEntry(
            position=placing.position,
            track=self.track_ref(placing.track),
            old_position=old,
            position_change=None if old is None else old - placing.position,
            metric=_metric(plan, seed, placing.position),
            entry_date=plan.first_day + timedelta(days=placing.debut * plan.step),
            time_on_chart=placing.rankings_listed,
            time_on_chart_unit="WOC" if plan.weekly else "DOC",
        )

    def track_ref(self, index: int) -> models.TrackRef:
        """The track as rankings and series name it."""
        track = self.catalog.track(index)
        return models.TrackRef(
            uuid=track.uuid, name=track.name, credit_name=track.credit_name, image_url=track.image_url
        )

    def track(self, uuid: str) -> models.Track | None:
        """Metadata of a track; None when there is none to have (unknown, or withdrawn: 410)."""
        index = self.catalog.track_index.get(uuid)
        if index is None or self.oddities.gone(uuid):
            return None
        return holes.track_with_holes(self.catalog.track(index), self.oddities)

    def artist(self, uuid: str) -> models.Artist | None:
        """Metadata of an artist; None when unknown."""
        index = self.catalog.artist_index.get(uuid)
        return None if index is None else holes.artist_with_holes(self.catalog.artist(index), self.oddities)

    def track_account(self, uuid: str, platform: str) -> Account | Absence:
        """The series of a track's totals. Raises KeyError for an unknown track or platform."""
        if platform not in TRACK_METRICS:
            raise KeyError(platform)
        account = self.accounts.track(self.catalog.track_index[uuid], platform)
        return self._withheld("track_audience", uuid, platform) or account or Absence.NO_DATA

    def track_views_account(self, uuid: str) -> Account | Absence:
        """The series of a track's YouTube views with places. Raises KeyError for an unknown track."""
        account = self.accounts.track_streaming(self.catalog.track_index[uuid])
        return self._withheld("track_streaming", uuid, "youtube") or account or Absence.NO_DATA

    def streaming_account(self, uuid: str, platform: str) -> Account | Absence:
        """The series of an artist's listeners or views. Raises KeyError for an unknown artist or platform."""
        if platform not in STREAMING:
            raise KeyError(platform)
        account = self.accounts.streaming(self.catalog.artist_index[uuid], platform)
        return self._withheld("artist_streaming", uuid, platform) or account or Absence.NO_DATA

    def followers_account(self, uuid: str, platform: str) -> Account | Absence:
        """The series of an artist's followers. Raises KeyError for an unknown artist or platform."""
        if platform not in SOCIAL:
            raise KeyError(platform)
        account = self.accounts.followers(self.catalog.artist_index[uuid], platform)
        return self._withheld("artist_followers", uuid, platform) or account or Absence.NO_ACCOUNT

    def _withheld(self, kind: str, uuid: str, platform: str) -> Absence | None:
        return self.oddities.absence(kind, uuid, platform)

    def rows(self, account: Account, start: date, end: date) -> list[Row]:
        """What the API lists of an account in a window, oldest first."""
        return published(account, self.oddities, start=start, end=end, today=self.today)

    def track_series(self, uuid: str, platform: str, start: date, end: date) -> tuple[models.AudiencePoint, ...] | None:
        """Published totals of a track; None where the API refuses (404, 403), empty where it lists nothing."""
        account = self.track_account(uuid, platform)
        if isinstance(account, Absence):
            return () if account is Absence.NO_DATA else None
        return points_of(account, self.rows(account, start, end))

    def artist_streaming(self, uuid: str, platform: str, start: date, end: date) -> models.Series | None:
        """Published listeners or views of an artist with places; None and empty as in `track_series`."""
        return self._series(self.streaming_account, uuid, platform, start, end)

    def artist_followers(self, uuid: str, platform: str, start: date, end: date) -> models.Series | None:
        """Published followers of an artist with places; None and empty as in `track_series`."""
        return self._series(self.followers_account, uuid, platform, start, end)

    def _series(
        self,
        account_of: Callable[[str, str], Account | Absence],
        uuid: str,
        platform: str,
        start: date,
        end: date,
    ) -> models.Series | None:
        account = account_of(uuid, platform)
        if isinstance(account, Absence):
            return models.Series(()) if account is Absence.NO_DATA else None
        return series_of(account, self.oddities, self.rows(account, start, end))

    def spins(self, uuid: str, day: date) -> int | None:
        """Plays of a track on a day; None until the day is over, when the count is whole."""
        return self.airplay.spins(self.catalog.track_index[uuid], day) if day < self.today else None

    def plays_so_far(self, uuid: str, day: date) -> int:
        """Plays the API shows of a day: all of a past day, the morning's of the current one."""
        whole = self.airplay.spins(self.catalog.track_index[uuid], day)
        if day == self.today:
            return whole // 2
        return whole if day < self.today else 0


def _metric(plan: ChartPlan, seed: int, position: int) -> int | None:
    if plan.platform not in METRICS:
        return None
    scale = {"spotify": 6e6, "youtube": 9e6, "airplay": 4e3, "tiktok": 2e5}[plan.platform]
    local = 1.0 if plan.country_code is None else 0.08
    # Between a place and the next the figure falls by less than it could, so order and figure agree.
    place = position + 0.8 * unit(seed, position)
    return int(scale * local * (place + 2) ** -0.6 * plan.step)
