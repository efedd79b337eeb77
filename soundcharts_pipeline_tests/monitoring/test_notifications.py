"""Messages arrive, and a service that does not take them is said so, by its place and never by its address."""

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.monitoring.notifications import MOST_PARTS, Delivery, Message, deliver, message_of, unusable
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.storage import alerts
from soundcharts_pipeline.storage.alerts import Alert, Failure
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.troubleshooting import trouble_of
from soundcharts_pipeline_tests.support.command_line import run, with_charts
from soundcharts_pipeline_tests.support.mailbox import SECRET, mail_server, webhook

HELLO = Message("Soundcharts: hello", "first line\ntrack_audience/spotify", "failure")
TODAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Nobody listens on port 1.
NOBODY = f"json://127.0.0.1:1/{SECRET}"


def _alert(number: int = 0, *, over: bool = False) -> Alert:
    day = NOON + timedelta(minutes=number)
    what = f"viral-50-global 2026-11-20, track_audience/{number}"
    end = day if over else None
    return Alert(
        f"viral-50-global/track_audience/{number}",
        "ServerError",
        what,
        "1 of 50 are still to do",
        "runs/77",
        day,
        day,
        None,
        end,
        None,
    )


def test_a_message_reaches_every_service() -> None:
    with webhook() as hook, mail_server() as mail:
        delivery = deliver(f"{hook.address}  {mail.address}", HELLO)
        assert delivery == Delivery(["1 (JSON)", "2 (E-Mail)"], [])
        assert hook.take() == [(HELLO.title, HELLO.body)]
        [(subject, text)] = mail.take()
    assert subject == f"Subject: {HELLO.title}"
    assert "track_audience/spotify" in text


def test_a_service_that_is_away_or_refuses_does_not_keep_the_others_from_hearing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "apprise")
    with webhook() as refusing, webhook() as hook:
        refusing.status = 500
        delivery = deliver(f"{NOBODY} {refusing.address} nonsense://{SECRET} {hook.address}", HELLO)
        assert delivery == Delivery(["4 (JSON)"], ["1 (JSON)", "2 (JSON)", "3"])
        assert len(hook.take()) == 1
    assert SECRET not in "".join(capfd.readouterr()) + caplog.text
    assert not [record for record in caplog.records if record.name == "apprise"]
    assert unusable(f"{NOBODY} nonsense://{SECRET} plain") == ["2", "3"]


def test_a_failure_says_what_where_since_when_and_what_to_do() -> None:
    message = message_of([_alert()], "http://ui:3000")
    trouble = trouble_of("ServerError")
    remedy = trouble.advice(Subject("viral-50-global", TODAY, TODAY, "track_audience/0"))
    assert f"sync viral-50-global --date {TODAY}`; if it goes on for days, take 0 out" in remedy
    assert message.title == f"Soundcharts: {trouble.title}: viral-50-global 2026-11-20, track_audience/0"
    assert message.body.splitlines() == [
        "FAILING viral-50-global 2026-11-20, track_audience/0, since 2026-11-20 12:00 UTC",
        "1 of 50 are still to do",
        f"What to do: {remedy} ({trouble.place})",
        "http://ui:3000/runs/77",
    ]
    assert message.tone == "failure"


def test_a_recovery_is_told_as_one() -> None:
    message = message_of([_alert(over=True)], "http://ui:3000")
    assert message.title == "Soundcharts: Recovered: viral-50-global 2026-11-20, track_audience/0"
    assert message.tone == "success"


def test_many_at_once_are_one_message_of_bounded_length() -> None:
    many = [_alert(number) for number in range(MOST_PARTS + 4)] + [_alert(99, over=True)]
    message = message_of(many, "http://ui:3000")
    assert message.title == "Soundcharts: 14 failing, 1 recovered"
    assert message.body.count("FAILING") == MOST_PARTS
    assert message.body.endswith("... and 5 more: http://ui:3000/runs")


def test_notify_test_says_who_took_it(environ: dict[str, str]) -> None:
    with webhook() as hook:
        done = run({**environ, "SOUNDCHARTS_NOTIFY": hook.address}, "notify-test")
        assert done.code == 0
        assert done.says("taken by 1 (JSON)")
        assert [title for title, _ in hook.take()] == ["Soundcharts: a test"]
    assert SECRET not in done.text


def test_notify_test_fails_when_it_did_not_arrive(environ: dict[str, str]) -> None:
    done = run({**environ, "SOUNDCHARTS_NOTIFY": NOBODY}, "notify-test")
    assert done.code == 1
    assert done.says("Not taken by 1 (JSON)", "correct address 1 (JSON) in SOUNDCHARTS_NOTIFY")
    assert SECRET not in done.text


def test_notify_test_without_an_address_says_how_to_set_one(environ: dict[str, str]) -> None:
    done = run(environ, "notify-test")
    assert done.code == 2
    assert done.says("set SOUNDCHARTS_NOTIFY to the address of a service")


def _line_of_doctor(environ: Mapping[str, str]) -> str:
    done = run(environ, "doctor")
    assert SECRET not in done.text
    return next(line for line in done.out.splitlines() if " notifications" in line)


def test_doctor_tells_of_a_broken_notifier(environ: dict[str, str], tmp_path: Path) -> None:
    ready = with_charts(environ, tmp_path)
    assert _line_of_doctor(ready).startswith("ok")
    assert "set SOUNDCHARTS_NOTIFY" in _line_of_doctor(ready)
    wrong = _line_of_doctor({**ready, "SOUNDCHARTS_NOTIFY": f"nonsense://{SECRET}"})
    assert wrong.startswith("FAIL")
    assert "correct address 1 in SOUNDCHARTS_NOTIFY" in wrong

    with webhook() as hook:
        right = {**ready, "SOUNDCHARTS_NOTIFY": hook.address}
        assert "SOUNDCHARTS_NOTIFY holds 1 service" in _line_of_doctor(right)
        warehouse = Warehouse(read_environment(ready).database_url)
        failure = Failure(subject="a/x", kind="ServerError", what="a", message="m", link="runs/1", at=NOON)
        with warehouse.write() as conn:
            alerts.note(conn, failure)
            alerts.keep_outcome(conn, alerts.untold(conn), NOON, taken=False, refused_by="1 (JSON)")
        warehouse.close()
        assert "the last message was not taken: correct address 1 (JSON)" in _line_of_doctor(right)
        assert run(right, "notify-test").code == 0
        assert _line_of_doctor(right).startswith("ok")
