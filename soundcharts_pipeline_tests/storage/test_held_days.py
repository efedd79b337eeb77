"""Which chart-days the warehouse holds, on both databases."""

from datetime import UTC, date, datetime, timedelta

from soundcharts_pipeline.models import ChartDays, PublishedRanking
from soundcharts_pipeline.storage.bulk import merge
from soundcharts_pipeline.storage.queries.held_days import held_days
from soundcharts_pipeline.storage.saves import note_complete, save_published, save_unpublished
from soundcharts_pipeline.storage.tables import bookkeeping as b
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHOLE, RANKED, ABSENT, LISTED, UNKNOWN = (date(2026, 11, number) for number in range(1, 6))
ARCHIVED = date(2026, 6, 3)
DAYS = {WHOLE, RANKED, ABSENT, LISTED, UNKNOWN, ARCHIVED}


def test_a_day_is_held_as_far_as_the_warehouse_says_so(warehouse: Warehouse) -> None:
    with warehouse.write() as conn:
        for slug in ("a", "b"):
            listed = (ARCHIVED, WHOLE, RANKED, LISTED) if slug == "a" else (ARCHIVED, WHOLE)
            save_published(conn, slug, [PublishedRanking(day, str(day)) for day in listed], NOW)
        save_unpublished(conn, "a", [ABSENT], NOW)
        d = s.ranking_days
        saved = (d.c.chart_slug == "a", d.c.rank_date.in_([ARCHIVED, WHOLE, RANKED]))
        conn.execute(d.update().where(*saved).values(saved_at=NOW))
        note_complete(conn, ChartDays("a", WHOLE, WHOLE), NOW)
        # Of the other tables nothing is to be told: their months are archived at other times.
        months = [("chart_rankings", date(2026, 6, 1), NOW, 1), ("track_audience", date(2026, 11, 1), NOW, 1)]
        merge(conn, b.archived_months, months, columns=["table_name", "month", "archived_at", "files"])

    with warehouse.read() as conn:
        held = held_days(conn, {"a": DAYS, "b": DAYS, "never-seen": DAYS})
        nothing = held_days(conn, {"a": set()})
    assert held.ranked == {"a": {ARCHIVED, WHOLE, RANKED, ABSENT}}
    assert held.whole == {"a": {ARCHIVED, WHOLE, ABSENT}}
    assert nothing.ranked == nothing.whole == {}


def test_many_charts_with_long_histories_are_told_at_once(warehouse: Warehouse) -> None:
    days = [NOW.date() - timedelta(days=ago) for ago in range(200)]
    slugs = [f"chart-{number}" for number in range(50)]
    columns = ["chart_slug", "rank_date", "published_at", "checked_at", "saved_at", "completed_at"]
    rows = [(slug, day, str(day), NOW, NOW, NOW) for slug in slugs for day in days]
    with warehouse.write() as conn:
        merge(conn, s.ranking_days, rows, columns=columns)
    with warehouse.read() as conn:
        held = held_days(conn, dict.fromkeys(slugs, days))
    assert {slug: len(held.whole[slug]) for slug in slugs} == dict.fromkeys(slugs, 200)
