"""Pages from templates: what every page needs to know, and how numbers and times read. Text from data is escaped."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from soundcharts_pipeline.admin.access.root_path import home
from soundcharts_pipeline.admin.pages.chart_table import facts
from soundcharts_pipeline.admin.pages.day_strip import bar_svg, strip_svg
from soundcharts_pipeline.admin.refusals import HttpRefusal
from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.cron import in_words
from soundcharts_pipeline.monitoring.health import Task
from soundcharts_pipeline.sync.pace import duration

NOTHING = "–"  # noqa: RUF001  # an empty cell
_AGES = (
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "min"),
    (timedelta(seconds=1), "s"),
)
_AGE = re.compile(r'(<time class="age" datetime="([^"]+)"[^>]*>)…<')


class Renderer:
    """`ui_url` is the address of Dagster's UI."""

    def __init__(self, ui_url: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._ui_url, self._clock = ui_url, clock
        self._templates = Environment(
            loader=PackageLoader("soundcharts_pipeline.admin"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "number": number,
            "percent": percent,
            "bytes": byte_size,
            "duration": lambda seconds: NOTHING if seconds is None else duration(seconds),
            "utc": utc,
            "ago": lambda at: relative(at, self._clock()),
            "age": age,
            "days": days_of,
            "code": with_code,
            "cron": in_words,
            "facts": facts,
            "strip": strip_svg,
            "bar": bar_svg,
        }

    def page(self, request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
        """The template with what every page knows. `signed_in` and `may_change` are of the session that Login found."""
        session = getattr(request.state, "session", None)
        common = {
            "prefix": home(),
            "ui_url": self._ui_url,
            "signed_in": session is not None,
            "may_change": session is not None and session.may_change,
            "now": self._clock(),
        }
        return HTMLResponse(self._templates.get_template(template).render(common | context), status)

    def piece(self, name: str, *facts: object) -> str:
        """One of the parts of the dashboard."""
        macro = getattr(self._templates.get_template("pieces.html").module, name)
        return str(macro(*facts)).strip()

    def part(self, template: str, **context: object) -> str:
        """A part of a page."""
        return self._templates.get_template(template).render(context)

    def refusal(self, request: Request, refused: HttpRefusal) -> HTMLResponse:
        """An error as a page: what is wrong and what to do."""
        page = self.page(request, "error.html", refused.status, error=str(refused), remedy=refused.body["remedy"])
        page.headers.update(refused.headers or {})
        return page


def wants_page(request: Request) -> bool:
    """Whether a person is asking: browsers name HTML, programs do not."""
    return "text/html" in request.headers.get("accept", "")


def number(value: float | None) -> str:
    """`1,234,567`; one decimal where there are any."""
    if value is None:
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def percent(share: float | None) -> str:
    """A share of 1, without decimals: `95 %`. Only all is 100 %, only nothing is 0 %."""
    if share is None:
        return NOTHING
    shown = round(share * 100)
    return f"{min(max(shown, 1), 99) if 0 < share < 1 else shown} %"


def byte_size(count: int | None) -> str:
    """`12.3 MB`."""
    if count is None:
        return NOTHING
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def utc(at: datetime | None) -> str:
    """`2026-11-22 14:05 UTC`, which programs can read too."""
    return NOTHING if at is None else _time(at, f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC", "")


def relative(at: datetime | None, now: datetime) -> str:
    """`3 h ago` or `in 3 h`; the exact time is its title."""
    return NOTHING if at is None else _time(at, _distance(at, now), f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


def age(at: datetime) -> Markup:
    """The same whenever it is rendered; `with_ages` and the script of the page make it relative."""
    return Markup('<time class="age" datetime="{}" title="{}">{}</time>').format(
        f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", "…"
    )


def with_ages(html: str, now: datetime) -> str:
    """Every `age` in the text as `relative` would have it."""
    return _AGE.sub(lambda found: f"{found[1]}{_distance(datetime.fromisoformat(found[2]), now)}<", html)


def _distance(at: datetime, now: datetime) -> str:
    distance = abs(now - at)
    text = next((f"{distance // unit} {name}" for unit, name in _AGES if distance >= unit), "")
    return "now" if not text else f"{text} ago" if at < now else f"in {text}"


def days_of(task: Task) -> str:
    """`2026-11-20`, or `2026-11-01 to 2026-11-20`."""
    return " to ".join(part.rpartition("|")[2] for part in task.partition.split("..."))


def with_code(text: str) -> Markup:
    """Words in `backticks`, as messages write commands, in the type of code; all else as it is."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts))


def _time(at: datetime, text: str, title: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", title or text, text)
