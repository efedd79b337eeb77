"""Messages to people, through whatever service the addresses in SOUNDCHARTS_NOTIFY name.

An address is a secret as a whole (a webhook's path is its password), so services are called by their place in the
variable and their kind. A service that does not take a message is an answer, never an error.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from soundcharts_pipeline.remedies import NOBODY, Subject
from soundcharts_pipeline.storage.alerts import Alert
from soundcharts_pipeline.troubleshooting import STALE, trouble_of

if TYPE_CHECKING:
    from apprise import NotifyBase

VARIABLE = "SOUNDCHARTS_NOTIFY"
HOW_TO_SET = (
    f"nobody is told of failures: set {VARIABLE} to the address of a service, such as mailto://user:password@host or "
    "json://host/path; several are separated by spaces (https://appriseit.com/services/)"
)
MOST_PARTS = 10
LONGEST_TEXT = 600

Tone = Literal["failure", "success", "info"]


@dataclass(frozen=True, slots=True)
class Message:
    title: str
    body: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Delivery:
    """Who took a message and who did not: names such as `1 (JSON)`."""

    taken_by: Sequence[str]
    refused_by: Sequence[str]


def deliver(addresses: str, message: Message) -> Delivery:
    """Send to every service, one after the other; each has a few seconds."""
    taken: list[str] = []
    refused: list[str] = []
    with _quiet():
        for name, service in _services(addresses):
            (taken if service is not None and _send(service, message) else refused).append(name)
    return Delivery(taken, refused)


def unusable(addresses: str) -> list[str]:
    """Places of the addresses that name no known service."""
    with _quiet():
        return [name for name, service in _services(addresses) if service is None]


def remedy(refused_by: str) -> str:
    """What to do about services that do not take messages."""
    return (
        f"correct address {refused_by} in {VARIABLE} where the daemon runs, or make its service reachable from there; "
        "`soundcharts-pipeline notify-test` tries it"
    )


def message_of(alerts: Sequence[Alert], ui_url: str) -> Message:
    """One message of all that is new."""
    failed = [alert for alert in alerts if alert.over_at is None]
    over = [alert for alert in alerts if alert.over_at is not None]
    parts = [_failure(alert, ui_url) for alert in failed] + [_recovery(alert) for alert in over]
    more = len(parts) - MOST_PARTS
    if more > 0:
        parts = [*parts[:MOST_PARTS], f"... and {more} more: {ui_url}/runs"]
    if len(alerts) == 1:
        title = f"{trouble_of(alerts[0].kind).title}: {alerts[0].what}" if failed else f"Recovered: {alerts[0].what}"
    else:
        title = ", ".join(f"{len(some)} {word}" for some, word in ((failed, "failing"), (over, "recovered")) if some)
    return Message(f"Soundcharts: {title}", "\n\n".join(parts), "failure" if failed else "success")


def _failure(alert: Alert, ui_url: str) -> str:
    trouble = trouble_of(alert.kind)
    remedy = trouble.advice(_subject(alert))
    text = alert.message if len(alert.message) <= LONGEST_TEXT else alert.message[:LONGEST_TEXT] + " ..."
    return (
        f"FAILING {alert.what}, since {alert.since:%Y-%m-%d %H:%M} UTC\n{text}\n"
        f"What to do: {remedy} ({trouble.place})\n{ui_url}/{alert.link}"
    )


def _subject(alert: Alert) -> Subject:
    """What is known of it, as `news` and `alerts` wrote it down: `chart/asset`, and in words with days."""
    chart, of_a_run, asset = alert.subject.partition("/")
    days = [date.fromisoformat(day) for day in re.findall(r"\d{4}-\d\d-\d\d", alert.what)]
    if alert.kind == STALE:
        return Subject(alert.what)
    return Subject(chart, min(days), max(days), asset.partition(":")[0]) if of_a_run and days else NOBODY


def _recovery(alert: Alert) -> str:
    return f"RECOVERED {alert.what} ({trouble_of(alert.kind).title}, since {alert.since:%Y-%m-%d %H:%M} UTC)"


def _services(addresses: str) -> "Iterator[tuple[str, NotifyBase | None]]":
    # A fifth of a second that only those who send need to wait.
    from apprise import Apprise

    for place, address in enumerate(addresses.split(), 1):
        service = Apprise.instantiate(address)
        yield (str(place), None) if service is None else (f"{place} ({service.service_name})", service)


def _send(service: "NotifyBase", message: Message) -> bool:
    from apprise import NotifyFormat, NotifyType

    try:
        return bool(
            service.notify(
                title=message.title,
                body=message.body,
                notify_type=NotifyType(message.tone),
                body_format=NotifyFormat.TEXT,
            )
        )
    except Exception:  # whatever one of a hundred plugins raises
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """The library's own log may quote an address."""
    logger = logging.getLogger("apprise")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
