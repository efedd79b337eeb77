"""One row per cause, whatever the order in which failures and recoveries are noted."""

from datetime import UTC, datetime, timedelta

from soundcharts_pipeline.storage import alerts
from soundcharts_pipeline.storage.alerts import Alert, Failure
from soundcharts_pipeline.storage.warehouse import Warehouse

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _failure(minutes: int, *, subject: str = "a/x", kind: str = "ServerError") -> Failure:
    at = NOON + timedelta(minutes=minutes)
    return Failure(subject=subject, kind=kind, what=f"a, day {minutes}", message=f"no {minutes}", link="runs/1", at=at)


def _note(warehouse: Warehouse, *failures: Failure) -> None:
    with warehouse.write() as conn:
        for failure in failures:
            alerts.note(conn, failure)


def _recover(warehouse: Warehouse, minutes: int, subject: str = "a/x") -> None:
    with warehouse.write() as conn:
        alerts.recover(conn, subject, NOON + timedelta(minutes=minutes))


def _untold(warehouse: Warehouse) -> list[Alert]:
    with warehouse.read() as conn:
        return alerts.untold(conn)


def _tell(warehouse: Warehouse, *, taken: bool = True, refused_by: str | None = None) -> None:
    told = _untold(warehouse)
    with warehouse.write() as conn:
        alerts.keep_outcome(conn, told, NOON, taken=taken, refused_by=refused_by)


def test_a_cause_is_untold_once_and_its_recovery_once(warehouse: Warehouse) -> None:
    _note(warehouse, _failure(0), _failure(1), _failure(0, subject="a/y"), _failure(0, kind="NetworkError"))
    first, *others = _untold(warehouse)
    assert (len(others), first.since, first.message) == (2, NOON, "no 0")
    _tell(warehouse)
    _note(warehouse, _failure(2))
    assert _untold(warehouse) == []

    _recover(warehouse, 3)
    assert [(alert.subject, alert.kind) for alert in _untold(warehouse)] == [
        ("a/x", "NetworkError"),
        ("a/x", "ServerError"),
    ]
    _tell(warehouse)
    assert _untold(warehouse) == []
    _note(warehouse, _failure(4))
    assert len(_untold(warehouse)) == 1, "it is news again"


def test_an_earlier_recovery_or_failure_changes_nothing(warehouse: Warehouse) -> None:
    _note(warehouse, _failure(5))
    _tell(warehouse)
    _recover(warehouse, 5)
    _recover(warehouse, 4)
    assert _untold(warehouse) == []
    _recover(warehouse, 7)
    _note(warehouse, _failure(6))
    assert [alert.message for alert in _untold(warehouse)] == ["no 5"], "still recovered"


def test_what_recovers_before_anybody_was_told_is_forgotten(warehouse: Warehouse) -> None:
    _note(warehouse, _failure(0))
    _recover(warehouse, 1)
    with warehouse.read() as conn:
        assert alerts.all_alerts(conn) == []


def test_what_fails_again_before_its_recovery_was_told_is_no_news(warehouse: Warehouse) -> None:
    _note(warehouse, _failure(0))
    _tell(warehouse)
    _recover(warehouse, 1)
    _note(warehouse, _failure(2))
    assert _untold(warehouse) == []


def test_who_did_not_take_the_last_message_is_known_until_it_does(warehouse: Warehouse) -> None:
    _note(warehouse, _failure(0))
    _tell(warehouse, taken=False, refused_by="1 (JSON)")
    assert len(_untold(warehouse)) == 1
    with warehouse.read() as conn:
        assert alerts.refusing(conn) == "1 (JSON)"
    _tell(warehouse, refused_by="2 (Slack)")
    assert _untold(warehouse) == []
    with warehouse.write() as conn:
        assert alerts.refusing(conn) == "2 (Slack)"
        alerts.forget_refusals(conn)
        assert alerts.refusing(conn) is None
