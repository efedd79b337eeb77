"""Commands on a disk that is full: each says so, how much is free and where, and sends nobody after a sound file."""

from collections.abc import Iterator

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.support.command_line import Done, run, run_here, user_environ, with_charts
from soundcharts_pipeline_tests.support.full_disk import no_room, no_room_for_events
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY

User = dict[str, str]
OF_A_STEP = ("STEP_SUCCESS", "STEP_FAILURE", "ASSET_MATERIALIZATION")


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user whose database and Dagster's state are there."""
    folder = tmp_path_factory.mktemp("user")
    with Simulator(today=TODAY, slow=0.05) as simulator:
        environ = with_charts(user_environ(simulator, folder), folder)
        assert run(environ, "catalog").code == 0
        yield environ


def _says_full(done: Done, *words: str) -> None:
    assert done.code == 1, done.text
    assert done.says("no space left for", "0 bytes free there", *words)
    for wrong in ("mv ", "start the server", "writable", "disk I/O error", "correct"):
        assert wrong not in done.text, done.text


@pytest.mark.parametrize("command", ["status", "report", "backup", "archive", "catalog"])
def test_dagsters_state_on_a_full_disk_is_not_called_broken(user: User, command: str) -> None:
    with no_room():
        done = run_here(user, command)
    _says_full(done, f"Dagster's state in {user['DAGSTER_HOME']} (", "free some disk space", "#disk-full")


@pytest.mark.parametrize("command", [("sync", SLUG), ("export", SLUG), ("plan", SLUG), ("restore-archive",)])
def test_a_database_on_a_full_disk_is_not_called_unwritable(user: User, command: tuple[str, ...]) -> None:
    with no_room():
        done = run_here(user, *command)
    _says_full(done, "soundcharts.db (", "free some disk space", "#disk-full")


@pytest.mark.parametrize("command", [("status",), ("sync", SLUG)])
def test_a_fault_of_a_disk_that_has_room_is_no_full_disk(user: User, command: tuple[str, ...]) -> None:
    with no_room(free=50_000_000_000):
        done = run_here(user, *command)
    assert done.code == 1
    assert done.says("disk I/O error")
    assert "no space left" not in done.text


def test_doctor_says_which_disk_is_full(user: User) -> None:
    with no_room():
        full = run_here(user, "doctor")
    _says_full(full, f"FAIL data directory no space left for {user['SOUNDCHARTS_DATA_DIR']} (0 bytes free there)")
    assert full.says(f"FAIL Dagster's state no space left for {user['DAGSTER_HOME']} (0 bytes free there)")
    assert full.says("FAIL database no space left for the SQLite database")


@pytest.mark.parametrize(
    ("free", "code", "said"),
    [
        (9_999_999, 1, "FAIL data directory no space left for {} (9,999,999 bytes free there)"),
        (712_345_678, 0, "note disk space {} has little room (712 MB free there); free some disk space"),
    ],
)
def test_doctor_says_that_a_disk_is_nearly_full(user: User, free: int, code: int, said: str) -> None:
    with no_room(free=free, writable=True):
        done = run_here(user, "doctor")
    assert done.code == code
    assert done.says(said.format(user["SOUNDCHARTS_DATA_DIR"]))


@pytest.mark.parametrize("command", [("catalog",), ("report",), ("backup",), ("archive",), ("sync", SLUG)])
def test_a_run_that_cannot_be_recorded_ends_with_words_and_no_statement(user: User, command: tuple[str, ...]) -> None:
    with no_room_for_events(*OF_A_STEP):
        done = run_here(user, *command)
    assert done.code == 1, done.text
    assert done.says(f"Dagster's state in {user['DAGSTER_HOME']} cannot be read or written any more (disk I/O error)")
    assert done.says("make room on its disk", "#dagsters-state-out-of-reach")
    for raw in ("INSERT", "SQL", "Exception", "sqlalche"):
        assert raw not in done.err, done.err
