"""Where a command is typed and where it prints: an output that takes nothing more, a folder that is gone, and
characters that nobody sees. One message that names it, the exit code of the cause, no traceback.
"""

import os
import subprocess
from pathlib import Path

import pytest

from soundcharts_pipeline_tests.support.command_line import COMMAND, Done, run_here, with_charts

FULL = Path("/dev/full")
UNSEEN = {
    "\r": "a carriage return (U+000D)",
    "\n": "a line break (U+000A)",
    "\x1b": "a control character (U+001B)",
    "\x7f": "a control character (U+007F)",
    "\u200b": "a zero width space (U+200B)",
    "\ufeff": "a zero width no-break space (U+FEFF)",
    "\u00a0": "a no-break space (U+00A0)",
    "\u202f": "a narrow no-break space (U+202F)",
    "\u200e": "a left-to-right mark (U+200E)",
}
SLUG = "viral-50-global"


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """Somebody with a charts file whose Soundcharts cannot be reached."""
    left_out = ("SOUNDCHARTS_", "DAGSTER_", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    here = {
        "SOUNDCHARTS_DATA_DIR": str(tmp_path / "data"),
        "SOUNDCHARTS_BASE_URL": "http://127.0.0.1:9",
        "SOUNDCHARTS_APP_ID": "me",
        "SOUNDCHARTS_API_KEY": "mine",
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }
    return with_charts(kept | here, tmp_path)


def _run(user: dict[str, str], *arguments: str, out: int | None = None, err: int | None = None) -> Done:
    done = subprocess.run(
        [*COMMAND, *arguments], env=user, stdout=out or subprocess.PIPE, stderr=err or subprocess.PIPE, check=False
    )
    return Done(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


@pytest.mark.parametrize("command", [["--help"], ["charts", "list"], ["status"], ["doctor"], ["charts", "--help"]])
def test_an_output_that_takes_nothing_more_is_said_once(user: dict[str, str], command: list[str]) -> None:
    with FULL.open("w") as full:
        for buffered in ("", "1"):
            done = _run(user | {"PYTHONUNBUFFERED": buffered}, *command, out=full.fileno())
            assert (done.code, done.err.count("\n")) == (1, 1), done.err
            assert done.says("Error: standard output cannot be written (No space left on device)", "make room there")
            # Where nothing can be said the exit code says it.
            silent = _run(user | {"PYTHONUNBUFFERED": buffered}, *command, out=full.fileno(), err=full.fileno())
            assert silent.code == done.code


@pytest.mark.parametrize(
    ("command", "code"), [(["charts", "remove", "nope"], 2), (["nope"], 2), (["sync", SLUG], 1), (["export", SLUG], 1)]
)
def test_an_error_that_cannot_be_said_has_its_exit_code(user: dict[str, str], command: list[str], code: int) -> None:
    with FULL.open("w") as full:
        for buffered in ("", "1"):
            assert _run(user | {"PYTHONUNBUFFERED": buffered}, *command, err=full.fileno()).code == code


@pytest.mark.parametrize("command", [["--help"], ["charts", "list"], ["status"]])
def test_a_reader_that_has_gone_is_told_nothing(user: dict[str, str], command: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = _run(user, *command, out=theirs)
    os.close(theirs)
    assert (done.code, done.err) == (1, "")


@pytest.mark.parametrize(
    "command",
    [
        *(["status"], ["charts", "list"], ["sync", SLUG], ["plan", SLUG], ["doctor"], ["export", SLUG], ["backup"]),
        *(["init"], ["init", "new"], ["demo"], ["dev"], ["serve"], ["catalog"], ["migrate"], ["notify-test"]),
    ],
)
def test_a_working_folder_that_is_gone_is_named(user: dict[str, str], tmp_path: Path, command: list[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    here = Path.cwd()
    try:
        os.chdir(gone)
        gone.rmdir()
        done = run_here(user, *command)
        helped = run_here(user, command[0], "--help")
    finally:
        os.chdir(here)
    assert (done.code, helped.code) == (2, 0), done.text
    assert done.says("the folder that this was started in is gone", "change to one that is there")
    assert done.text.count("Error: ") == 1


@pytest.mark.parametrize("sign", UNSEEN)
def test_an_argument_with_a_character_that_nobody_sees_names_it(user: dict[str, str], sign: str) -> None:
    for command in (
        *(
            ["sync", f"{SLUG}{sign}"],
            ["plan", f"{sign}{SLUG}"],
            ["status", f"{SLUG}{sign}"],
            ["status", f"--json{sign}"],
        ),
        *(["plan", SLUG, "--date", f"2026-11-01{sign}"], ["export", SLUG, "--output", f"x.csv{sign}"]),
        *(["charts", "add", f"{SLUG}{sign}"], ["charts", f"list{sign}"], [f"status{sign}"]),
    ):
        done = run_here(user, *command)
        assert done.code == 2, done.text
        assert done.says(UNSEEN[sign], "write it without")
        assert "did you mean" not in done.text
    with_it = SLUG.replace("-50", f"-{sign}50")
    done = run_here(user, "sync", with_it)
    assert (done.code, done.says(UNSEEN[sign])) == (2, True), done.text


def test_words_of_a_search_keep_what_belongs_to_them(user: dict[str, str]) -> None:
    for words in ("a \U0001f468\u200d\U0001f469 b", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"):
        done = run_here(user, "charts", "search", words, "--saved")
        assert "nobody sees" not in done.text


@pytest.mark.parametrize("sign", ["\x1b", "\x7f", "\u200b", "\ufeff", "\u200e"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("SOUNDCHARTS_DATA_DIR", "data"), ("DAGSTER_HOME", "dagster"), ("SOUNDCHARTS_CHARTS", "charts.yaml")),
        *(
            ("SOUNDCHARTS_MAX_IN_FLIGHT", "5"),
            ("SOUNDCHARTS_BASE_URL", "http://h"),
            ("SOUNDCHARTS_ROOT_PATH", "/music"),
        ),
        *(("SOUNDCHARTS_UMASK", "077"), ("SOUNDCHARTS_TRUSTED_PROXIES", "::1"), ("SOUNDCHARTS_NOTIFY", "json://h")),
        *(("SOUNDCHARTS_DATABASE_URL", "sqlite:///x.db"), ("SOUNDCHARTS_NOW", "2026-11-20T12:00:00Z")),
    ],
)
def test_a_variable_with_a_character_that_nobody_sees_names_it(
    user: dict[str, str], variable: str, value: str, sign: str
) -> None:
    for text in (f"{value}{sign}", f"{sign}{value}", f"{value[:2]}{sign}{value[2:]}"):
        done = run_here(user | {variable: text}, "charts", "list")
        assert done.code == 2, done.text
        assert done.says(f"{variable}: it holds {UNSEEN[sign]}", "which nobody sees; write it without")
        assert done.text.count(variable) == 1
