"""What watchers read of all charts at once, on both databases."""

from datetime import UTC, date, datetime, timedelta

from soundcharts_pipeline.models import Chart, PublishedRanking
from soundcharts_pipeline.storage.queries.chart_states import (
    ChartState,
    Usage,
    chart_states,
    progress_of_runs,
    usage_of,
)
from soundcharts_pipeline.storage.queries.worklists import GONE, SILENT
from soundcharts_pipeline.storage.saves import save_charts, save_progress, save_published, save_unpublished
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()


def day(ago: int) -> date:
    return TODAY - timedelta(days=ago)


def test_a_chart_is_told_with_its_days_since_the_asked_one(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        save_charts(conn, [Chart(slug="global-28", name="Global", platform="spotify", frequency="daily")])
        save_published(conn, "global-28", [PublishedRanking(day(n), str(day(n))) for n in (0, 1, 40)], NOW)
        save_unpublished(conn, "global-28", [day(2)], NOW)
        saved = s.ranking_days.c.rank_date.in_([day(1), day(40)])
        conn.execute(s.ranking_days.update().where(saved).values(saved_at=NOW))
        save_published(conn, "old", [PublishedRanking(day(50), str(day(50)))], NOW)
        conn.execute(s.ranking_days.update().where(s.ranking_days.c.chart_slug == "old").values(saved_at=NOW))

    with warehouse.read() as conn:
        states = chart_states(conn, day(30))

    assert states == {
        "global-28": ChartState(
            platform="spotify",
            frequency="daily",
            published={day(0): NOW, day(1): NOW},
            saved=frozenset({day(1)}),
            absent=frozenset({day(2)}),
            incomplete=frozenset({day(1)}),
            saved_at=NOW,
        ),
        "old": ChartState(saved_at=NOW),
    }


def test_progress_is_told_of_the_asked_runs_alone(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        for run_id, step, done in (("a", "chart_rankings", 1), ("a", "track_metadata", 2), ("b", "track_metadata", 3)):
            save_progress(conn, run_id, step, done, 9, NOW)

    with warehouse.read() as conn:
        assert progress_of_runs(conn, ["a", "c"]) == {
            "a": {"chart_rankings": (1, 9), "track_metadata": (2, 9)},
            "c": {},
        }
        assert progress_of_runs(conn, []) == {}


def test_usage_is_that_of_the_day_with_the_newest_word_on_the_quota(warehouse: Warehouse) -> None:
    rows = [
        *((day(1), "ranking", 7, 1, 0, 900), (TODAY, "ranking", 5, 2, 1, None), (TODAY, "usage", 3, 0, 0, None)),
        *((day(7), "ranking", 30, 0, 0, None), (day(31), "ranking", 9, 0, 0, 4000)),
    ]
    with warehouse.write() as conn:
        for on, endpoint, calls, errors, throttled, left in rows:
            conn.execute(
                b.api_usage.insert().values(
                    day=on,
                    endpoint=endpoint,
                    calls=calls,
                    billed=calls,
                    errors=errors,
                    throttled=throttled,
                    quota_remaining=left,
                )
            )

        gone = [("tiktok/followers", GONE, 0), ("metadata", GONE, 0), ("spotify/views", SILENT, 0)]
        for number, (scope, reason, ago) in enumerate([*gone, ("tiktok/followers", GONE, 1), gone[0]]):
            noted = {"entity": "artist", "uuid": str(number), "scope": scope, "reason": reason}
            conn.execute(b.tombstones.insert().values(**noted, noted_at=NOW - timedelta(days=ago)))

    with warehouse.read() as conn:
        today, yesterday = usage_of(conn, TODAY), usage_of(conn, day(1))
    assert today == Usage(
        calls=8, errors=2, throttled=1, not_found=2, quota_left=900, quota_most=900, billed={day(1): 7, TODAY: 8}
    )
    assert yesterday == Usage(
        calls=7, errors=1, throttled=0, not_found=1, quota_left=900, quota_most=4000, billed={day(1): 7, day(7): 30}
    )
