"""The variables: what stands in for those that are unset, and what mistakes in them are answered with."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from soundcharts_pipeline.clock import utc_now
from soundcharts_pipeline.config.environment import Environment, project_folder, read_environment
from soundcharts_pipeline.config.settings import SettingsError

PROJECT = Path(__file__).parents[2]


def test_an_empty_environment_gives_the_defaults(tmp_path: Path) -> None:
    data = PROJECT / "data"
    expected = Environment(
        app_id=None,
        api_key=None,
        client_id=None,
        client_secret=None,
        team_id=None,
        base_url="https://customer.api.soundcharts.com",
        auth_url="https://account.soundcharts.com",
        database_url=f"sqlite:///{data}/soundcharts.db",
        data_dir=data,
        dagster_home=data / "dagster",
        charts_file=PROJECT / "charts.yaml",
        calls_per_minute=5000,
        max_in_flight=32,
        quota_reserve=0,
        quota_overage=0,
        run_budget=None,
        admin_token=None,
        read_token=None,
        trusted_proxies=(),
        umask=0o077,
        notify=None,
        notify_quota=10_000,
        ui_url="http://127.0.0.1:3000",
        root_path="",
    )
    assert read_environment({}, current_folder=tmp_path) == expected
    blank = {"SOUNDCHARTS_DATA_DIR": "", "SOUNDCHARTS_API_KEY": " ", "SOUNDCHARTS_CALLS_PER_MINUTE": ""}
    assert read_environment(blank, current_folder=tmp_path) == expected


def test_relative_paths_start_at_the_current_folder(tmp_path: Path) -> None:
    folder = "my data#1 +50%20?é"
    environ = {"SOUNDCHARTS_DATA_DIR": folder, "SOUNDCHARTS_CHARTS": "c.yaml"}
    environment = read_environment(environ, current_folder=tmp_path)
    assert environment.data_dir == tmp_path / folder
    assert environment.dagster_home == tmp_path / folder / "dagster"
    assert environment.charts_file == tmp_path / "c.yaml"
    url = make_url(environment.database_url)
    assert url.database == str(tmp_path / folder / "soundcharts.db")
    assert url.render_as_string() == environment.database_url, "as SQLAlchemy itself writes it"


def test_without_a_project_beside_the_package_the_current_folder_is_the_project(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "soundcharts_pipeline"
    package.mkdir(parents=True)
    assert project_folder(package=package, current_folder=tmp_path / "here") == tmp_path / "here"
    (package.parent / "pyproject.toml").touch()
    assert project_folder(package=package, current_folder=tmp_path / "here") == package.parent
    (tmp_path / "here").mkdir()
    for name in ("charts.yaml", "workspace.yaml"):  # what `init` writes makes it a project of its own
        (tmp_path / "here" / name).touch()
    assert project_folder(package=package, current_folder=tmp_path / "here") == tmp_path / "here"


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql+psycopg2://u:p@h:5432/d"),
        ("postgres://u:p%40q@h/d?sslmode=require", "postgresql+psycopg2://u:p%40q@h/d?sslmode=require"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg2://u@h/d"),
        ("sqlite:////data/x.db", "sqlite:////data/x.db"),
        ("sqlite:///x.db", "sqlite:////here/x.db"),
    ],
)
def test_a_database_url_names_its_driver_and_an_absolute_file(given_url: str, url: str) -> None:
    environ = {"SOUNDCHARTS_DATABASE_URL": given_url}
    assert read_environment(environ, current_folder=Path("/here")).database_url == url


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("mysql://u:hunter2@h/d", "databases of the kind 'mysql' are not supported; write sqlite:///path"),
        ("postgresql+asyncpg://u:hunter2@h/d", "databases of the kind 'postgresql+asyncpg' are not supported; write"),
        ("hunter2", "not a database URL; write sqlite:///path"),
        ("postgresql://u:x@h:hunter2/d", "not a database URL; write sqlite:///path"),
        ("postgresql://u:hunter2@hunter2@h/d", "the password or user holds an '@' of its own; write it as %40"),
        ("sqlite://x.db", "two slashes are one too few for a file; write sqlite:///path/to/file.db"),
        ("sqlite:///:memory:", "a database in memory is lost when the process ends; write sqlite:///path"),
    ],
)
def test_a_bad_database_url_is_refused_without_its_password(url: str, answer: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_environment({"SOUNDCHARTS_DATABASE_URL": url})
    assert str(caught.value).startswith(f"SOUNDCHARTS_DATABASE_URL: {answer}")
    assert "hunter2" not in str(caught.value)


def test_all_bad_variables_are_named_at_once() -> None:
    environ = {
        "SOUNDCHARTS_BASE_URL": "customer.api.soundcharts.com",
        "SOUNDCHARTS_CALLS_PER_MINUTE": "0",
        "SOUNDCHARTS_MAX_IN_FLIGHT": "many",
        "SOUNDCHARTS_QUOTA_RESERVE": "-1",
        "SOUNDCHARTS_RUN_BUDGET": "0",
    }
    with pytest.raises(SettingsError) as caught:
        read_environment(environ)
    number = "not a whole number from"
    assert str(caught.value).splitlines() == [
        "SOUNDCHARTS_BASE_URL: not a web address; write one such as https://customer.api.soundcharts.com, or unset it",
        f"SOUNDCHARTS_CALLS_PER_MINUTE: '0' is {number} 1 to 1000000; write one such as 5000, or unset it",
        f"SOUNDCHARTS_MAX_IN_FLIGHT: 'many' is {number} 1 to 1000; write one such as 32, or unset it",
        f"SOUNDCHARTS_QUOTA_RESERVE: '-1' is {number} 0 up; write one such as 0, or unset it",
        f"SOUNDCHARTS_RUN_BUDGET: '0' is {number} 1 up; write one such as 1000, or unset it",
    ]


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("127.0.0.1", ("127.0.0.1/32",)),
        ("10.0.0.0/24, ::1 192.0.2.7", ("10.0.0.0/24", "::1/128", "192.0.2.7/32")),
    ],
)
def test_proxies_are_addresses_or_networks(text: str, networks: tuple[str, ...]) -> None:
    assert read_environment({"SOUNDCHARTS_TRUSTED_PROXIES": text}).trusted_proxies == networks


@pytest.mark.parametrize("text", ["*", "proxy.example", "10.0.0.1/24", "127.0.0.1 and 10.0.0.1"])
def test_other_proxies_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"SOUNDCHARTS_TRUSTED_PROXIES: .* is no address and no network"):
        read_environment({"SOUNDCHARTS_TRUSTED_PROXIES": text})


def test_a_umask_takes_rights_of_others_alone() -> None:
    for text, umask in (("077", 0o077), ("0027", 0o027), ("22", 0o022), ("000", 0)):
        assert read_environment({"SOUNDCHARTS_UMASK": text}).umask == umask
    for text in ("777", "177", "0o77", "078", "-1", "private"):
        with pytest.raises(SettingsError, match=r"SOUNDCHARTS_UMASK: .* write 077"):
            read_environment({"SOUNDCHARTS_UMASK": text})


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00"])
def test_a_moment_that_is_set_stands_still(text: str) -> None:
    clock = read_environment({"SOUNDCHARTS_NOW": text}).clock
    assert clock() == clock() == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert read_environment({}).clock is utc_now


@pytest.mark.parametrize("text", ["2026-11-23", "2026-11-23T12:00:00", "today"])
def test_a_moment_without_its_zone_is_refused(text: str) -> None:
    with pytest.raises(
        SettingsError, match=f"SOUNDCHARTS_NOW: '{text}' is not a time with its zone; write one such as"
    ):
        read_environment({"SOUNDCHARTS_NOW": text})


def test_no_secret_is_in_the_repr() -> None:
    secrets = {
        "SOUNDCHARTS_API_KEY": "hidden-key",
        "SOUNDCHARTS_CLIENT_SECRET": "hidden-client",
        "SOUNDCHARTS_ADMIN_TOKEN": "hidden-token",
        "SOUNDCHARTS_READ_TOKEN": "hidden-read-token",
        "SOUNDCHARTS_NOTIFY": "json://hidden-hook",
        "SOUNDCHARTS_DATABASE_URL": "postgresql://u:hidden-password@h/d",
    }
    environment = read_environment({"SOUNDCHARTS_APP_ID": "shown", "SOUNDCHARTS_CLIENT_ID": "me", **secrets})
    assert (environment.api_key, environment.client_secret) == ("hidden-key", "hidden-client")
    assert environment.admin_token == "hidden-token"
    assert "shown" in repr(environment)
    assert "hidden" not in repr(environment)
