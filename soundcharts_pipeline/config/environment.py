"""The environment variables as one frozen record, with their defaults and their checks.

`read_environment` is called at the edges (command line, resources), never at import, and so is `keep_private`. Secrets
are fields that no repr and no message shows.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from soundcharts_pipeline.clock import Clock, standing_still, utc_now
from soundcharts_pipeline.config.settings import BadUse, SettingsError
from soundcharts_pipeline.config.variable_reader import VariableReader

PACKAGE_FOLDER = Path(__file__).absolute().parents[1]
# What a new project starts with. In a checkout these lead to the checkout's own, which are its first project.
PROJECT_FILES = PACKAGE_FOLDER / "config" / "project_files"
_BASE_URL = "https://customer.api.soundcharts.com"
_AUTH_URL = "https://account.soundcharts.com"
_UI_URL = "http://127.0.0.1:3000"
# A pool has room for one connection a call in flight, and an account lets some ten thousand calls in a minute.
_MOST_IN_FLIGHT, _MOST_A_MINUTE = 1_000, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Every variable with its value or default.

    Paths are absolute, hosts end without a slash, the database URL names its driver.
    """

    app_id: str | None
    api_key: str | None = field(repr=False)
    client_id: str | None
    client_secret: str | None = field(repr=False)
    team_id: str | None
    base_url: str
    auth_url: str
    database_url: str = field(repr=False)
    data_dir: Path
    dagster_home: Path
    charts_file: Path
    calls_per_minute: int
    max_in_flight: int
    quota_reserve: int
    quota_overage: int
    run_budget: int | None
    admin_token: str | None = field(repr=False)
    read_token: str | None = field(repr=False)
    trusted_proxies: tuple[str, ...]
    umask: int
    notify: str | None = field(repr=False)
    notify_quota: int
    ui_url: str
    root_path: str
    now: datetime | None = None

    @property
    def clock(self) -> Clock:
        """The calendar clock: the machine's, unless a moment is set."""
        return utc_now if self.now is None else standing_still(self.now)

    @property
    def quota_floor(self) -> int:
        """Billed calls end when so many are left of the term; below zero where calls beyond the quota are allowed."""
        return self.quota_reserve - self.quota_overage


def read_environment(environ: Mapping[str, str], *, current_folder: Path | None = None) -> Environment:
    """The variables of `environ`, relative paths resolved against the current folder.

    Raises one SettingsError that lists every mistake.
    """
    current = (current_folder or working_folder()).absolute()
    project = project_folder(package=PACKAGE_FOLDER, current_folder=current)
    reader = VariableReader(environ, current)
    data_dir = reader.folder("SOUNDCHARTS_DATA_DIR", default=project / "data")
    environment = Environment(
        app_id=reader.credential("SOUNDCHARTS_APP_ID"),
        api_key=reader.credential("SOUNDCHARTS_API_KEY"),
        client_id=reader.credential("SOUNDCHARTS_CLIENT_ID"),
        client_secret=reader.credential("SOUNDCHARTS_CLIENT_SECRET"),
        team_id=reader.credential("SOUNDCHARTS_TEAM_ID"),
        base_url=reader.web_address("SOUNDCHARTS_BASE_URL", default=_BASE_URL),
        auth_url=reader.web_address("SOUNDCHARTS_AUTH_URL", default=_AUTH_URL),
        database_url=reader.database("SOUNDCHARTS_DATABASE_URL", default=data_dir / "soundcharts.db"),
        data_dir=data_dir,
        dagster_home=reader.folder("DAGSTER_HOME", default=data_dir / "dagster"),
        charts_file=reader.path("SOUNDCHARTS_CHARTS", default=project / "charts.yaml"),
        calls_per_minute=reader.whole_number(
            "SOUNDCHARTS_CALLS_PER_MINUTE", least=1, most=_MOST_A_MINUTE, default=5000
        ),
        max_in_flight=reader.whole_number("SOUNDCHARTS_MAX_IN_FLIGHT", least=1, most=_MOST_IN_FLIGHT, default=32),
        quota_reserve=reader.whole_number("SOUNDCHARTS_QUOTA_RESERVE", least=0, default=0),
        quota_overage=reader.whole_number("SOUNDCHARTS_QUOTA_OVERAGE", least=0, default=0),
        run_budget=reader.whole_number("SOUNDCHARTS_RUN_BUDGET", least=1, default=None),
        admin_token=reader.credential("SOUNDCHARTS_ADMIN_TOKEN"),
        read_token=reader.credential("SOUNDCHARTS_READ_TOKEN"),
        trusted_proxies=reader.networks("SOUNDCHARTS_TRUSTED_PROXIES"),
        umask=reader.umask("SOUNDCHARTS_UMASK"),
        notify=reader.text("SOUNDCHARTS_NOTIFY"),
        notify_quota=reader.whole_number("SOUNDCHARTS_NOTIFY_QUOTA", least=0, default=10_000),
        ui_url=reader.web_address("SOUNDCHARTS_UI_URL", default=_UI_URL),
        root_path=reader.root_path("SOUNDCHARTS_ROOT_PATH"),
        now=reader.moment("SOUNDCHARTS_NOW"),
    )
    if reader.mistakes:
        raise SettingsError("\n".join(reader.mistakes))
    return environment


def working_folder() -> Path:
    """The current folder. Raises BadUse when somebody has removed it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise BadUse("the folder that this was started in is gone; change to one that is there") from None


def keep_private(environ: Mapping[str, str]) -> None:
    """Whatever this process and its children make from now on is for this user alone, or as SOUNDCHARTS_UMASK says; of
    a mistake in that `read_environment` tells."""
    os.umask(VariableReader(environ, Path()).umask("SOUNDCHARTS_UMASK"))


def project_folder(*, package: Path, current_folder: Path) -> Path:
    """The current folder when it is a project (`init` has written its charts.yaml) or the package is installed; in a
    checkout, from everywhere else, the folder of its pyproject.toml."""
    is_project = (current_folder / "charts.yaml").is_file() and (current_folder / "workspace.yaml").is_file()
    is_checkout = (package.parent / "pyproject.toml").is_file()
    return package.parent if is_checkout and not is_project else current_folder
