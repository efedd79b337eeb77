"""charts.yaml in the pages, over HTTP and on a real file: what a browser without scripts sees, sends and gets."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from soundcharts_pipeline.admin.configuration.change_log import FILE, ChangeLog
from soundcharts_pipeline.admin.configuration.editor import EFFECT
from soundcharts_pipeline.clock import DAYS_AHEAD, standing_still
from soundcharts_pipeline.config.chart_keys import KEYS, NAME
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import SettingsError, default_of
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.admin.forms import Page
from soundcharts_pipeline_tests.admin.site import PREFIX, READ_TOKEN, serving
from soundcharts_pipeline_tests.admin.visitor import Visitor, visiting
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY, noon
from soundcharts_pipeline_tests.support.unprivileged import read_only

FIRST = TODAY - timedelta(days=3)
CHARTS = f"""\
# Ours.
defaults:
  first_date: {FIRST}   # so far
  history_days: 7
  track_audience_platforms: [spotify]
  artist_audience_platforms: [instagram]
charts:
  - slug: {SLUG}   # fifty places
    name: Viral 50
    schedule: daily at 06:00   # early
    track_audience_platforms:
      - spotify   # mostly
      - awa
    # and no more
  - {{slug: nowhere-28, name: "<script>alert(1)</script>"}}
"""
SETTINGS = f"/chart/{SLUG}/settings/"
NOW = standing_still(noon(TODAY))


class Desk:
    """Somebody signed in, and the file."""

    def __init__(self, visitor: Visitor, file: Path, simulator: Simulator) -> None:
        self.visitor, self.file, self.simulator = visitor, file, simulator

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @property
    def log(self) -> Path:
        return self.file.parent / "data" / FILE

    def page(self, path: str) -> Page:
        answer = self.visitor.get(path)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def send(self, page: Page | requests.Response, path: str, step: str = "", **typed: str | None) -> requests.Response:
        """The page's form for this address, with what was typed."""
        shown = page if isinstance(page, Page) else Page(page.text)
        return self.visitor.post(path, shown.form(path).filled(step, **typed))

    def save(self, path: str, **typed: str | None) -> requests.Response:
        """Through the preview, as the page leads."""
        preview = self.send(self.page(path), path, "preview", **typed)
        assert preview.status_code == 200, preview.text
        return self.send(preview, path, "save")


@pytest.fixture(scope="module")
def soundcharts() -> Iterator[Simulator]:
    with Simulator(today=TODAY) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def seated(tmp_path_factory: pytest.TempPathFactory, soundcharts: Simulator) -> Iterator[Desk]:
    file = tmp_path_factory.mktemp("configuration") / "charts.yaml"
    file.write_text(CHARTS)
    url = f"sqlite:///{file.parent}/soundcharts.db"
    with serving(file, url, simulator=soundcharts) as client, visiting(client.url) as visitor:
        yield Desk(visitor, file, soundcharts)


@pytest.fixture
def desk(seated: Desk) -> Desk:
    """The same desk with the file as it was."""
    seated.file.write_text(CHARTS)
    seated.simulator.reset()
    return seated


def words(answer: requests.Response) -> str:
    """What a page says, as one line."""
    text = re.sub(r"<[^>]*>", " ", answer.text.replace("<wbr>", ""))
    for code, sign in (("&#39;", "'"), ("&#34;", '"'), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")):
        text = text.replace(code, sign)
    return " ".join(text.split())


def test_a_chart_is_found_priced_added_and_on_the_dashboard(desk: Desk) -> None:
    empty = desk.visitor.get("/charts/add/")
    assert "No chart of the catalog is saved yet" in words(empty)
    assert "1 billed call per 100 charts" in words(empty)
    assert desk.simulator.counters.total == 0

    fetched = desk.send(empty, "/charts/fetch/", platform="spotify")
    again = desk.send(empty, "/charts/fetch/", platform="spotify")
    calls = desk.simulator.counters.total
    listed = [chart for chart in desk.simulator.world.charts() if chart.platform == "spotify"]
    assert (fetched.status_code, again.status_code) == (303, 303)
    assert calls == -(-len(listed) // 100)
    shown = desk.visitor.session.get(desk.visitor.url + fetched.headers["Location"], timeout=60)
    assert f"That took {calls} calls." in words(shown)

    found = desk.visitor.get("/charts/add/?q=DAILY+germany&platform=spotify")
    (slug,) = re.findall(rf'href="{PREFIX}/charts/add/([\w-]+)/"', found.text)
    new = f"/charts/add/{slug}/"
    preview = desk.send(desk.page(new), new, "preview", schedule="weekly on monday at 06:00", timezone="Europe/Berlin")
    said = words(preview)
    for told in ("Add Germany Daily Top Songs?", "+ - slug: " + slug, "track_audience/spotify", "in all", EFFECT):
        assert told in said
    assert re.search(r"All that is missing 3 days", said), "to yesterday"
    assert desk.text == CHARTS

    saved = desk.send(preview, new, "save")
    assert saved.headers["Location"] == f"{PREFIX}/chart/{slug}/?saved=1"
    assert desk.text == CHARTS + (
        f"  - slug: {slug}\n    name: Germany Daily Top Songs\n"
        "    schedule: weekly on monday at 06:00\n    timezone: Europe/Berlin\n"
    )
    # At once, and with its button.
    assert f"Trigger cascade of {load_settings(desk.file, NOW).chart(slug).name}" in desk.visitor.get().text
    chart = desk.visitor.get(f"/chart/{slug}/?saved=1")
    assert "The settings are saved in charts.yaml" in words(chart)
    assert EFFECT in words(chart)
    assert desk.simulator.counters.total == calls
    assert desk.visitor.get(new).headers["Location"] == f"{PREFIX}/chart/{slug}/settings/"


def test_a_slug_is_looked_up_for_one_call_and_only_when_it_may_be_added(desk: Desk) -> None:
    page = desk.page("/charts/add/")
    found = desk.send(page, "/charts/look-up/", slug="shazam-top-200-world")
    assert found.headers["Location"] == f"{PREFIX}/charts/add/shazam-top-200-world/"
    assert desk.simulator.counters.total == 1
    for slug, status, said in [
        ("shazam-top-200-world", 303, ""),
        ("shazam-top-200-wold", 404, "did you mean shazam-top-200-world?"),
        ("a/b", 400, "slug 'a/b' holds more than letters"),
        ("nowhere-28", 400, "is there already edit its lines"),
    ]:
        answer = desk.send(page, "/charts/look-up/", slug=slug)
        assert (answer.status_code, said in words(answer)) == (status, True), words(answer)
    assert desk.simulator.counters.total == 2
    unknown = desk.send(page, "/charts/fetch/", platform="spotfy")
    assert (unknown.status_code, "write 'spotify'" in words(unknown)) == (400, True)
    assert desk.send(page, "/charts/fetch/").status_code == 400


def test_every_key_has_its_meaning_its_default_its_calls_and_a_label(desk: Desk) -> None:
    answer = desk.visitor.get(SETTINGS)
    page, said = Page(answer.text), words(answer)
    assert page.unlabelled == []
    assert {*page.described} <= {*page.ids}
    assert len(page.ids) == len({*page.ids})
    for key in (NAME, *KEYS):
        meaning = key.meaning.replace("`", "")
        assert meaning[1:] in re.sub(r" (?=[,.;:])", "", said), key.name
        assert f"key-{key.name}" in page.ids
    assert "Set on this chart, line 10. Default: 0 2 * * * (built in)" in said
    assert f"Default: {FIRST} ( defaults , line 3)" in said
    assert f"Default: {default_of('follow_days')} (built in)" in said
    assert "1 per track and window of 90 days; airplay : 1 per track and day" in said


def test_a_form_that_is_sent_as_it_came_changes_nothing(desk: Desk) -> None:
    for path in (SETTINGS, "/chart/nowhere-28/settings/"):
        answer = desk.send(desk.page(path), path, "preview")
        assert "nothing is changed: every value is the one that the file has" in words(answer)
    assert desk.text == CHARTS


def test_a_change_is_shown_then_saved_and_told_who_made_it(desk: Desk) -> None:
    typed = {
        "schedule": "every 6 hours",
        "track_audience_platforms__spotify": None,
        "track_audience_platforms__line-music": "on",
        "sync_history": None,
        "history_days": "30",
    }
    preview = desk.send(desk.page(SETTINGS), SETTINGS, "preview", **typed)
    assert desk.text == CHARTS
    said = words(preview)
    for told in (
        "schedule daily at 06:00 → every 6 hours",
        "track_audience_platforms spotify, awa → awa, line-music",
        "sync_history true → false",
        "- schedule: daily at 06:00 # early",
        "track_audience/line-music",
    ):
        assert told in said, told
    edit = desk.send(preview, SETTINGS, "edit")
    assert Page(edit.text).form(SETTINGS).fields["schedule"] == "every 6 hours"

    saved = desk.send(Page(edit.text), SETTINGS, "save")
    assert saved.status_code == 303
    expected = CHARTS.replace("daily at 06:00   #", "every 6 hours   #").replace(
        "      - spotify   # mostly\n      - awa\n",
        "      - awa\n      - line-music\n    sync_history: false\n    history_days: 30\n",
    )
    assert desk.text == expected
    assert desk.simulator.counters.total == 0
    line = json.loads(desk.log.read_text().splitlines()[-1])
    assert (line["by"], line["chart"], line["did"]) == ("admin, 127.0.0.1", SLUG, "changed")
    assert line["keys"] == {
        "schedule": ["daily at 06:00", "every 6 hours"],
        "track_audience_platforms": ["spotify, awa", "awa, line-music"],
        "sync_history": [None, "false"],
        "history_days": [None, "30"],
    }
    assert desk.log.stat().st_mode & 0o777 == 0o600
    shown = words(desk.visitor.get("/configuration/"))
    assert f"changed {SLUG}" in shown
    assert "by admin, 127.0.0.1 schedule daily at 06:00 → every 6 hours" in shown
    assert "history_days not said → 30" in shown


def test_a_key_is_taken_off_the_chart_and_a_list_may_be_empty(desk: Desk) -> None:
    typed = {
        "reset__schedule": "on",
        "track_audience_platforms__spotify": None,
        "track_audience_platforms__awa": None,
        "name": "",
    }
    assert desk.save(SETTINGS, **typed).status_code == 303
    assert desk.text == CHARTS.replace("    name: Viral 50\n    schedule: daily at 06:00   # early\n", "").replace(
        "track_audience_platforms:\n      - spotify   # mostly\n      - awa\n", "track_audience_platforms: []\n"
    )
    # What is empty stays empty when the form is sent again.
    assert "nothing is changed" in words(desk.send(desk.page(SETTINGS), SETTINGS, "preview"))


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("schedule", "sometimes"),
        ("schedule", ""),
        ("timezone", "Mars"),
        ("first_date", str(TODAY + timedelta(days=DAYS_AHEAD + 1))),
        ("first_date", "2026-02-30"),
        ("history_days", "0"),
        ("history_days", "1.5"),
        ("follow_days", "-1"),
        ("recheck_hours", ""),
        ("airplay_source", "broadcast"),
        ("active", "maybe"),
    ],
)
def test_a_mistake_is_told_beside_its_field_in_the_words_of_the_file(desk: Desk, key: str, typed: str) -> None:
    answer = desk.send(desk.page(SETTINGS), SETTINGS, "preview", **{key: typed})
    assert answer.status_code == 400
    # Somebody who writes the same into the file by hand.
    own = "schedule: daily at 06:00   # early\n"
    line = (
        f'    {key}: "{typed}"\n'
        if typed and key not in ("history_days", "follow_days")
        else f"    {key}: {typed or chr(39) * 2}\n"
    )
    by_hand = CHARTS.replace(f"    {own}", line) if key == "schedule" else CHARTS.replace("    # and no more\n", line)
    desk.file.write_text(by_hand)
    with pytest.raises(SettingsError) as caught:
        load_settings(desk.file, NOW)
    said = str(caught.value).replace("`", "")
    page = Page(answer.text)
    assert said in words(answer), words(answer)
    assert f"key-{key}-mistake-1" in page.described
    assert f'href="#key-{key}"' in answer.text
    # A mark and a list of choices can show nothing but what they know.
    assert key in ("active", "airplay_source") or page.form(SETTINGS).fields[key] == typed
    assert answer.text.count('aria-invalid="true"') == 1


def test_a_mistake_that_a_change_makes_elsewhere_in_the_file_is_told(desk: Desk) -> None:
    desk.file.write_text(CHARTS + "operations:\n  archive_after_days: 400\n")
    answer = desk.send(desk.page(SETTINGS), SETTINGS, "preview", history_days="1000")
    assert answer.status_code == 400
    assert "archive_after_days is 400, but runs look up to" in words(answer)


@pytest.mark.parametrize("step", ["preview", "save"])
def test_a_file_changed_meanwhile_is_told_never_overwritten_and_what_was_typed_stays(desk: Desk, step: str) -> None:
    page = desk.page(SETTINGS)
    meanwhile = CHARTS.replace("history_days: 7", "history_days: 8").replace("daily at 06:00", "daily at 07:00")
    desk.file.write_text(meanwhile)
    answer = desk.send(page, SETTINGS, step, schedule="hourly", follow_days="3")
    assert answer.status_code == 409
    assert desk.text == meanwhile
    said = words(answer)
    assert "The file was changed since this page was made; nothing was saved." in said
    assert "schedule was daily at 06:00 and is now daily at 07:00 ; you typed hourly , which stands below" in said
    assert "history_days was 7 and is now 8" in said
    # Once more: what was typed is saved, what was changed meanwhile stays.
    saved = desk.send(desk.send(answer, SETTINGS, "preview"), SETTINGS, "save")
    assert saved.status_code == 303
    assert desk.text == meanwhile.replace("daily at 07:00", "hourly").replace(
        "      - awa\n", "      - awa\n    follow_days: 3\n"
    )


def test_a_change_in_another_place_of_the_file_is_told_too(desk: Desk) -> None:
    page = desk.page(SETTINGS)
    desk.file.write_text(CHARTS.replace("# Ours.", "# Theirs."))
    answer = desk.send(page, SETTINGS, "preview", follow_days="3")
    assert answer.status_code == 409
    assert "Nothing of this chart differs: other lines of the file were changed." in words(answer)
    assert Page(answer.text).form(SETTINGS).fields["follow_days"] == "3"


def test_where_the_file_is_read_only_the_page_shows_the_lines_and_their_place(desk: Desk) -> None:
    page = desk.page(SETTINGS)
    with read_only(desk.file):
        form = desk.visitor.get(SETTINGS)
        preview = desk.send(page, SETTINGS, "preview", schedule="hourly")
        saved = desk.send(page, SETTINGS, "save", schedule="hourly")
        removal = desk.visitor.get(f"/chart/{SLUG}/remove/")
    assert "cannot be changed from here: the file is read-only for this program" in words(form)
    assert (preview.status_code, saved.status_code) == (200, 503)
    for answer in (preview, saved):
        said = words(answer)
        assert (
            f"In {desk.file} replace the lines 8 to 14 by these: - slug: {SLUG} # fifty places name: Viral 50" in said
        )
        assert 'value="save"' not in answer.text
    assert "cannot be written" in words(saved)
    assert "by hand" in words(removal)
    assert desk.text == CHARTS


def test_a_folder_that_takes_no_draft_is_told_with_the_lines(tmp_path: Path, soundcharts: Simulator) -> None:
    file = tmp_path / f"{'c' * 250}.yaml"
    file.write_text(CHARTS)
    url = f"sqlite:///{tmp_path}/soundcharts.db"
    with serving(file, url, simulator=soundcharts) as client, visiting(client.url) as visitor:
        desk = Desk(visitor, file, soundcharts)
        braces = "/chart/nowhere-28/settings/"
        answer = desk.save(braces, active=None)
        assert answer.status_code == 503
        assert "cannot be written (File name too long)" in words(answer)
        assert f"In {file} replace the lines 15 to 15 by these: - {{slug: nowhere-28" in words(answer)
        assert file.read_text() == CHARTS


def test_a_chart_is_removed_with_what_that_means_and_never_from_a_file_that_changed(desk: Desk) -> None:
    path = "/chart/nowhere-28/remove/"
    page = desk.visitor.get(path)
    assert "All that was saved stays in the database" in words(page)
    assert desk.text == CHARTS
    desk.file.write_text(CHARTS.replace("# Ours.", "# Theirs."))
    late = desk.send(page, path)
    assert (late.status_code, "nothing was removed" in words(late)) == (409, True)
    removed = desk.send(late, path)
    assert removed.headers["Location"] == f"{PREFIX}/configuration/?removed=nowhere-28"
    assert desk.text == CHARTS.replace("# Ours.", "# Theirs.").rpartition("  - {")[0]
    assert "alert(1)" not in desk.visitor.get().text
    assert "nowhere-28 was removed" in words(desk.visitor.get("/configuration/?removed=nowhere-28"))
    only = desk.visitor.get(f"/chart/{SLUG}/remove/")
    assert (only.status_code, "is the only chart" in words(only)) == (409, True)
    assert desk.visitor.get(path).status_code == 404


def test_a_file_with_mistakes_is_shown_with_them_and_not_edited(desk: Desk) -> None:
    desk.file.write_text(CHARTS.replace("history_days: 7", "history_days: x"))
    for path in ("/configuration/", SETTINGS, f"/chart/{SLUG}/remove/", "/charts/add/shazam-top-200-world/"):
        answer = desk.visitor.get(path)
        assert f"{desk.file}:4: history_days is 'x', not a whole number" in words(answer), path
        assert answer.status_code == (200 if path == "/configuration/" else 409)
    desk.file.write_text("charts: [{slug: a}, {slug: b}]\n")
    answer = desk.visitor.get("/charts/add/shazam-top-200-world/")
    assert "the charts are laid out in a way that cannot be edited safely; edit it by hand" in words(answer)


def test_names_that_are_html_show_as_text_and_nothing_is_inline(desk: Desk) -> None:
    for path in ("/configuration/", "/charts/add/?q=a", "/chart/nowhere-28/settings/", "/chart/nowhere-28/remove/"):
        text = desk.visitor.get(path).text
        assert "<script>alert" not in text
        assert text.count("<script") == text.count("<script src=")
        assert not re.search(r"<[^>]*\s(on[a-z]+|style)=", re.sub(r'"[^"]*"', "", text))
    typed = desk.send(desk.page(SETTINGS), SETTINGS, "preview", name='"><img src=x>', schedule="<b>")
    assert "<img" not in typed.text.replace(f'<img src="{PREFIX}', "")
    assert "<b>" not in typed.text


PAGES = ["/configuration/", "/charts/add/", "/charts/add/shazam-top-200-world/", SETTINGS, f"/chart/{SLUG}/remove/"]
FORMS = [*PAGES[2:], "/charts/fetch/", "/charts/look-up/"]


@pytest.mark.parametrize("path", [*PAGES, *FORMS])
def test_nobody_gets_there_without_a_session_or_with_a_foreign_form(desk: Desk, path: str) -> None:
    with visiting(desk.visitor.url, signed_in=False) as outside:
        answers = [outside.get(path)] if path in PAGES else []
        answers += [outside.post(path)] if path in FORMS else []
        assert {answer.status_code for answer in answers} == {303}
        assert all("/login/" in answer.headers["Location"] for answer in answers)
    foreign = {"Origin": "https://elsewhere.example"}
    if path in FORMS:
        assert desk.visitor.post(path, {"step": "save"}, headers=foreign).status_code == 403
    assert desk.text == CHARTS
    assert desk.simulator.counters.total == 0


def test_whoever_may_only_look_sees_the_settings_and_nothing_to_press(desk: Desk) -> None:
    with visiting(desk.visitor.url, signed_in=False) as guest:
        guest.sign_in(READ_TOKEN)
        for path in PAGES:
            answer = guest.get(path)
            assert answer.status_code == 200, path
            assert set(re.findall(r"<button[^>]*>([^<]+)", answer.text)) <= {"Sign out", "Search"}
        for path in FORMS:
            answer = guest.post(path, {"step": "save"})
            assert (answer.status_code, "changes nothing" in words(answer)) == (403, True)
    assert desk.text == CHARTS


def test_lines_of_the_log_that_somebody_broke_are_left_out(tmp_path: Path) -> None:
    log = ChangeLog(tmp_path)
    assert log.newest(3) == []
    good = (
        '{"at": "2026-11-20T12:00:00+00:00", "by": "admin", "chart": "a", "did": "changed", "keys": {"k": [null, "1"]}}'
    )
    log.path.write_text(
        "\n".join([good, "{", "[]", '{"at": 1}', "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), good])
    )
    assert [change.keys for change in log.newest(3)] == [{"k": (None, "1")}] * 2
    assert log.newest(3, chart="b") == []
