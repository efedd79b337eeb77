"""The pages and the API below a path of a proxy: every address carries it, whoever tells it."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

import pytest
import requests

from soundcharts_pipeline.admin.access.root_path import is_root_path
from soundcharts_pipeline.admin.internal_api.trigger import status_url
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.settings import SettingsError
from soundcharts_pipeline_tests.admin.filled import Filled
from soundcharts_pipeline_tests.admin.site import PREFIX, TOKEN, Client, serving
from soundcharts_pipeline_tests.admin.visitor import HTML
from soundcharts_pipeline_tests.support.helpers import SLUG

ROOT = "/music"
TOLD = {"X-Forwarded-Prefix": ROOT, "X-Forwarded-Proto": "https", "Host": "host.example", **HTML}
PAGES = ["/", "/tasks/", "/search/?q=a", "/nowhere/", "/configuration/", "/charts/add/?q=a"]
NO_PATHS = [
    *("//evil.example", "/\\evil", "https://evil.example", "music", "/..", "/a/../b", "/./x", "/a//b", "/a?b", "/a#b"),
    *("/a b", '/a"onload=', "/<script>", "/m%2e", "/é", "/a/" + "b" * 300, "/a;b", "/a\tb"),
]


@pytest.fixture(scope="module")
def behind(filled: Filled) -> Iterator[Client]:
    """A proxy that takes its path away and says so in a header."""
    with serving(filled.charts, filled.database_url, trusted_proxies=["127.0.0.1"]) as client:
        yield client


@pytest.fixture(scope="module")
def below(filled: Filled) -> Iterator[Client]:
    """A proxy that passes all on; the path is a setting."""
    with serving(filled.charts, filled.database_url, root_path=ROOT) as client:
        yield client


def addresses(page: str) -> list[str]:
    """Whatever on a page leads somewhere, less links to the web and to Dagster."""
    found = re.findall(r'(?:href|src|srcset|action|data-refresh)="([^"]*)"', page)
    return [unescape(one) for one in found if not one.startswith(("http", "#", "data:"))]


@pytest.mark.parametrize("way", ["header", "setting, passed on", "setting, taken away"])
def test_every_address_of_every_page_carries_the_path(behind: Client, below: Client, filled: Filled, way: str) -> None:
    url = behind.url if way == "header" else below.url
    inside = f"{ROOT}{PREFIX}" if way == "setting, passed on" else PREFIX
    headers = (TOLD if way == "header" else HTML) | {"Sec-Fetch-Site": "same-origin"}
    with requests.Session() as session:
        session.trust_env = False

        def ask(method: str, path: str, **form: str) -> requests.Response:
            sent = {"headers": headers, "data": form or None, "cookies": dict(session.cookies.items())}
            return requests.request(method, url + path, **sent, allow_redirects=False, timeout=60)  # type: ignore[arg-type]

        away = ask("GET", f"{inside}/search/?q=a")
        assert away.status_code == 303
        assert away.headers["location"].startswith(f"{ROOT}{PREFIX}/login/?next=")
        form = ask("GET", inside + away.headers["location"].removeprefix(ROOT + PREFIX))
        assert f'action="{ROOT}{PREFIX}/login/"' in form.text
        [wanted] = re.findall(r'name="next" value="([^"]*)"', form.text)
        let_in = ask("POST", f"{inside}/login/", token=TOKEN, next=unescape(wanted))
        assert (let_in.status_code, let_in.headers["location"]) == (303, f"{ROOT}{PREFIX}/search/?q=a")
        cookie = let_in.headers["set-cookie"]
        assert f"Path={ROOT}{PREFIX};" in cookie
        assert ("Secure" in cookie) == (way == "header")
        session.cookies.update(let_in.cookies)
        pages = [
            *PAGES,
            f"/chart/{SLUG}/settings/",
            f"/chart/{SLUG}/remove/",
            f"/chart/{SLUG}/",
            f"/track/{filled.track}/",
            f"/artist/{filled.artist}/",
        ]
        followed = set()
        for page in pages:
            shown = ask("GET", inside + page)
            found = addresses(shown.text)
            assert found, page
            assert [one for one in found if not one.startswith(f"{ROOT}{PREFIX}/")] == [], page
            followed |= {one for one in found if "/static/" in one or one.endswith(".svg")}
        assert len(followed) > 5
        for one in followed:
            assert ask("GET", inside + one.removeprefix(ROOT + PREFIX)).status_code == 200, one
        out = ask("POST", f"{inside}/logout/")
        assert out.headers["location"] == f"{ROOT}{PREFIX}/login/"
        assert f"Path={ROOT}{PREFIX};" in out.headers["set-cookie"]


def test_the_api_says_its_addresses_with_the_path(behind: Client, below: Client) -> None:
    for client, headers in ((behind, TOLD), (below, {})):
        document = client.get("/openapi.json", headers=headers).json()
        assert document["servers"] == [{"url": ROOT}]
        # Nobody else is there.
        assert client.get("/health/", headers=headers).json() == {"status": "unavailable"}
    assert behind.get("/openapi.json").json()["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("text", NO_PATHS)
def test_what_can_be_no_path_is_not_believed(behind: Client, text: str) -> None:
    assert not is_root_path(text)
    answer = requests.get(
        f"{behind.url}{PREFIX}/",
        headers={"X-Forwarded-Prefix": text.encode()} | {"Accept": "text/html"},
        allow_redirects=False,
        timeout=60,
    )
    assert answer.headers["location"].startswith(f"{PREFIX}/login/")
    with pytest.raises(SettingsError, match="SOUNDCHARTS_ROOT_PATH"):
        read_environment({"SOUNDCHARTS_ROOT_PATH": text})


def test_the_setting_is_a_path_with_or_without_a_slash_at_its_end() -> None:
    for text, path in (("/music/", "/music"), ("/a/b.c", "/a/b.c"), ("", ""), ("/", "")):
        assert read_environment({"SOUNDCHARTS_ROOT_PATH": text}).root_path == path


def test_a_path_that_is_the_begin_of_our_own_is_no_confusion(filled: Filled) -> None:
    with serving(filled.charts, filled.database_url, trusted_proxies=["127.0.0.1"]) as client:
        for prefix in ("/admin", "/admin/soundcharts"):
            told = {**TOLD, "X-Forwarded-Prefix": prefix}
            away = requests.get(f"{client.url}{PREFIX}/", headers=told, allow_redirects=False, timeout=60)
            assert urlsplit(away.headers["location"]).path == f"{prefix}{PREFIX}/login/"


def test_the_address_of_a_chart_whose_slug_is_not_ascii_is_one_that_every_client_takes() -> None:
    assert status_url("top-50-são-paulo") == f"{PREFIX}/chart/top-50-s%C3%A3o-paulo/status/"
