"""Environments and files that nobody meant: one message that names the variable or the file and says what to write
instead, an exit code by the cause, no traceback, no call.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from soundcharts_pipeline_tests.support.command_line import CHARTS, COMMAND, Done, run_here, with_charts

BASE, AUTH, DATABASE = "SOUNDCHARTS_BASE_URL", "SOUNDCHARTS_AUTH_URL", "SOUNDCHARTS_DATABASE_URL"
SEARCH = ("charts", "search", "germany")
# Of which no part may be repeated.
SECRET = "hunter2"
NUMBERS = {
    "SOUNDCHARTS_CALLS_PER_MINUTE": "from 1 to 1000000",
    "SOUNDCHARTS_MAX_IN_FLIGHT": "from 1 to 1000",
    "SOUNDCHARTS_QUOTA_RESERVE": "from 0 up",
    "SOUNDCHARTS_QUOTA_OVERAGE": "from 0 up",
    "SOUNDCHARTS_RUN_BUDGET": "from 1 up",
    "SOUNDCHARTS_NOTIFY_QUOTA": "from 0 up",
}
NO_NUMBERS = ["-1", "ten", "1e3", "1 000", "+5", "0x10", "99999999999999999999", "32 calls", "\uff19"]
CREDENTIALS = [
    *("SOUNDCHARTS_APP_ID", "SOUNDCHARTS_API_KEY", "SOUNDCHARTS_CLIENT_ID", "SOUNDCHARTS_CLIENT_SECRET"),
    *("SOUNDCHARTS_TEAM_ID", "SOUNDCHARTS_ADMIN_TOKEN"),
]
UNSENDABLE = [f"{SECRET}\nx-evil: 1", f"{SECRET}\r\nx", f"{SECRET}ключ", f"{SECRET}é", f"{SECRET}\tx", f"{SECRET}\x7fx"]
NO_ADDRESSES = {
    **dict.fromkeys(
        ["http://[::1", "http://[zz]", "http://a b", "h.example", "ftp://h", "http://"], "not a web address"
    ),
    **dict.fromkeys(
        ["http://h:99999", "http://h:0", "http://h:x", "http://..", "http://*", "http://-"], "not a web address"
    ),
    **dict.fromkeys(["http://h?x=1", "http://h#x", "http:/h", "//h"], "not a web address"),
    f"http://u:{SECRET}@h": "it holds a user or a password",
}
NO_DATABASES = {
    "sqlite:////tmp/x.db?foo=bar": "a database file takes no options such as '?foo'",
    "sqlite:////tmp/x.db?timeout=abc": "a database file takes no options such as '?timeout'",
    f"postgresql://u:{SECRET}@h/d?foo={SECRET}": "'foo' is no option of a PostgreSQL connection",
    f"postgresql://u:{SECRET}@h/d?ssl_mode=require": "'ssl_mode' is no option of a PostgreSQL connection",
    f"postgresql://u:{SECRET}@h:99999/d": "99999 is no port",
    f"postgresql://u:{SECRET}@[::1/d": "not a database URL",
    f"postgresql+asyncpg://u:{SECRET}@h/d": "databases of the kind 'postgresql+asyncpg' are not supported",
    f"oracle://u:{SECRET}@h/d": "databases of the kind 'oracle' are not supported",
}
NO_PROXIES = [
    "nonsense value",
    "http://[::1",
    "http://h:99999",
    "ftp://h:1",
    "socks5://h:1",
    "://",
    "http://",
    f"h:{SECRET}",
]
# Text of a charts file, and what is said of it.
NO_CHARTS: dict[str, tuple[str | bytes, str]] = {
    "another YAML": (f"%YAML 1.3\n---\n{CHARTS}", ":1: YAML 1.3 is not known here; remove the line"),
    "a far YAML": (f"# ours\n%YAML 1.17\n---\n{CHARTS}", ":2: YAML 1.17 is not known here"),
    "YAML 2": (f"%YAML 2.0\n---\n{CHARTS}", ":1: cannot be read as YAML"),
    "half a directive": (f"%YAML\n---\n{CHARTS}", ":1: cannot be read as YAML"),
    "a tag of Python": ("charts: !!python/object:os.system x\n", ":1: charts is 'x', not a list"),
    "a list in itself": ("charts: &a\n - *a\n", ":1: a chart is a list"),
    "an anchor that is not there": ("charts:\n  - slug: *a\n", ":2: cannot be read as YAML"),
    "two documents": (f"{CHARTS}---\n{CHARTS}", "cannot be read as YAML"),
    "many brackets": ("[" * 2_000, "cannot be read as YAML"),
    "half a character": ('charts:\n  - slug: a\n    name: "\\ud83d"\n', ":3: name holds half a character"),
    "half a slug": ('charts:\n  - slug: "\\ud800"\n', ":2: slug holds half a character"),
    "a long slug": (f"charts:\n  - slug: {'a' * 4_000}\n", "is longer than 150 characters"),
    "a NUL": (CHARTS.replace("Viral", "Vi\0ral"), ":10: a character here is not allowed"),
    "UTF-16": (CHARTS.encode("utf-16"), ":1: not UTF-8 text"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0", ":1: not UTF-8 text"),
    "nothing": ("", "there are no charts"),
}


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """Somebody with a charts file whose Soundcharts cannot be reached: what makes a call ends with the exit code 1."""
    left_out = ("SOUNDCHARTS_", "DAGSTER_", "COLUMNS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    here = {"SOUNDCHARTS_DATA_DIR": str(tmp_path / "data"), "SOUNDCHARTS_APP_ID": "me", "SOUNDCHARTS_API_KEY": "mine"}
    return with_charts(kept | here | {BASE: "https://127.0.0.1:9", AUTH: "https://127.0.0.1:9"}, tmp_path)


def refused(done: Done, *words: str) -> None:
    """Bad use, said once with what to do, and no secret of ours."""
    assert done.says(*words)
    assert done.code == 2, done.text
    assert done.text.count("Error: ") == 1, done.text
    assert done.text.count("What to do: ") == 1, done.text
    assert SECRET not in done.text
    assert len(done.text) < 1_000


@pytest.mark.parametrize("variable", NUMBERS)
def test_a_number_that_is_none(user: dict[str, str], variable: str) -> None:
    for text in NO_NUMBERS:
        refused(
            run_here(user | {variable: text}, "charts", "list"),
            f"{variable}: '{text}' is not a whole number {NUMBERS[variable]}; write",
        )
    assert run_here(user | {variable: " "}, "charts", "list").code == 0


def test_numbers_that_no_machine_keeps(user: dict[str, str]) -> None:
    for variable in ("SOUNDCHARTS_MAX_IN_FLIGHT", "SOUNDCHARTS_CALLS_PER_MINUTE"):
        for text in ("0", "999999999"):
            refused(
                run_here(user | {variable: text}, *SEARCH), f"{variable}: '{text}' is not a whole number from 1 to 1"
            )


@pytest.mark.parametrize("variable", CREDENTIALS)
def test_a_secret_that_no_header_can_carry(user: dict[str, str], variable: str) -> None:
    for text in UNSENDABLE:
        refused(
            run_here(user | {variable: text}, *SEARCH),
            f"{variable}: it holds a ",
            "which no header can carry; write it again",
        )
    assert run_here(user | {variable: f"{SECRET}\n"}, "charts", "list").code == 0, "as a file has it"


@pytest.mark.parametrize("variable", [BASE, AUTH, "SOUNDCHARTS_UI_URL"])
def test_an_address_that_is_none(user: dict[str, str], variable: str) -> None:
    for text, problem in NO_ADDRESSES.items():
        refused(run_here(user | {variable: text}, "charts", "list"), f"{variable}: {problem}; write one such as http")
    for text in ("http://[::1]:8080/api/", "HTTPS://Example.TEST", "https://bücher.example", "http://under_score:80"):
        assert run_here(user | {variable: text}, "charts", "list").code == 0, text


@pytest.mark.parametrize("text", NO_DATABASES)
def test_a_database_url_with_what_its_driver_does_not_know(user: dict[str, str], text: str) -> None:
    refused(run_here(user | {DATABASE: text}, "status"), f"{DATABASE}: {NO_DATABASES[text]}")


@pytest.mark.parametrize("text", NO_PROXIES)
def test_a_proxy_that_is_none(user: dict[str, str], text: str) -> None:
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        refused(
            run_here(user | {BASE: "https://soundcharts.invalid", variable: text}, *SEARCH),
            f"{variable}: not the address of a proxy",
        )
    done = run_here(user | {"HTTPS_PROXY": text}, "charts", "list")
    assert done.code == 0, "a command that makes no call needs no proxy"
    assert run_here(user | {"HTTPS_PROXY": text}, "doctor").says("FAIL network HTTPS_PROXY: not the address of a proxy")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_none(user: dict[str, str], tmp_path: Path, variable: str) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path, reason in (
        (tmp_path / "none.pem", "No such file"),
        (empty, "no certificate is in it"),
        (empty / "x", "Not a directory"),
    ):
        refused(run_here(user | {variable: str(path)}, *SEARCH), f"{variable}: {path} cannot be used ({reason}")
    assert run_here(user | {variable: "nowhere", BASE: "http://127.0.0.1:9"}, "charts", "list").code == 0


@pytest.mark.parametrize("variable", ["SOUNDCHARTS_DATA_DIR", "DAGSTER_HOME"])
def test_a_folder_that_can_be_none(user: dict[str, str], tmp_path: Path, variable: str) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, reason in (
        (file, "it is a file"),
        (Path(os.devnull), "it is a file"),
        ("x" * 4_000, "File name too long"),
    ):
        for command in (["status"], ["sync", "viral-50-global", "--date", "2026-11-01"], ["doctor"]):
            refused(
                run_here(user | {variable: str(path)}, *command),
                f"{variable}: ",
                f"can be no folder ({reason}); name another",
            )


@pytest.mark.parametrize("name", NO_CHARTS)
def test_a_charts_file_that_is_none(user: dict[str, str], name: str) -> None:
    text, words = NO_CHARTS[name]
    path = Path(user["SOUNDCHARTS_CHARTS"])
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    refused(run_here(user, "charts", "list"), f"{path}", words)


def test_a_charts_file_of_a_bomb_or_a_hundred_megabytes_is_read_or_refused(user: dict[str, str]) -> None:
    path = Path(user["SOUNDCHARTS_CHARTS"])
    bomb = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)), "charts: *a39"]
    path.write_text("\n".join(bomb))
    done = run_here(user, "charts", "list")
    assert done.code == 2
    assert done.says("unknown key 'a0' in the charts file")
    with path.open("w") as file:
        file.write("#")
        file.truncate(100_000_000)
    refused(run_here(user, "charts", "list"), str(path), "larger than 10 MB")


def test_a_charts_file_that_is_a_folder_or_has_a_mark(user: dict[str, str], tmp_path: Path) -> None:
    refused(
        run_here(user | {"SOUNDCHARTS_CHARTS": str(tmp_path)}, "charts", "list"),
        f"{tmp_path}: cannot be read (Is a directory)",
    )
    refused(
        run_here(user | {"SOUNDCHARTS_CHARTS": "x" * 4_000}, "charts", "list"), "cannot be read (File name too long)"
    )
    os.mkfifo(pipe := tmp_path / "pipe.yaml")
    refused(run_here(user | {"SOUNDCHARTS_CHARTS": str(pipe)}, "charts", "list"), "cannot be read (a named pipe)")
    Path(user["SOUNDCHARTS_CHARTS"]).write_text(CHARTS, encoding="utf-8-sig")
    assert run_here(user, "charts", "list").says("viral-50-global")


def test_names_of_four_thousand_characters(user: dict[str, str], tmp_path: Path) -> None:
    long, data = "n" * 4_000, tmp_path / "data" / "exports"
    data.mkdir(parents=True)
    for arguments in (
        *(("viral-50-global", "--output", f"{long}.csv"), ("viral-50-global", "--output", f"{tmp_path}/{long}/x.csv")),
        *((long,), ("--track", long), ("--artist", long)),
    ):
        done = run_here(user, "export", *arguments)
        assert (done.code, done.says("can be no file (File name too long)")) == (2, True), done.text
        assert len(done.text) < 1_000
    done = run_here(user, "export", long, "--output", tmp_path / "x.csv")
    assert (done.code, done.says("no rankings of nnn")) == (1, True)
    assert len(done.text) < 1_000
    for command in (["plan", long], ["sync", long], ["status", long], ["charts", "remove", long]):
        done = run_here(user, *command)
        assert (done.code, done.text.count("Error: "), done.says("no chart 'nnn")) == (2, 1, True), done.text
        assert len(done.text) < 1_000


def test_an_argument_that_is_no_text(user: dict[str, str]) -> None:
    for command in (["export", "a\udc80"], ["status", "a\udc80"], ["charts", "search", "a\udc80", "--saved"]):
        done = run_here(user, *command)
        assert (done.code, done.says("an argument is no text in UTF-8")) == (2, True)


@pytest.mark.parametrize("command", [["charts", "list"], ["sync", "viral-50-global"], ["dev"], ["serve"]])
def test_a_command_that_is_interrupted_while_it_loads_ends_without_a_word_too_many(
    user: dict[str, str], command: list[str]
) -> None:
    # The interrupt comes with the first module of ours that is loaded after the entry point.
    loading = (
        "import os, signal, sys, importlib.abc\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'soundcharts_pipeline.cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"sys.argv[1:] = {command!r}\n"
        "import runpy\n"
        "runpy.run_module('soundcharts_pipeline', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", loading], env=user, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted: nothing was started\n")
    assert COMMAND[1:] == ("-m", "soundcharts_pipeline")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
