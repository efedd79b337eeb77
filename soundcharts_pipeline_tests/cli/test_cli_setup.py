"""A machine that is not set up yet: broken charts files, folders that cannot be written, wrong databases; and
`doctor`, which finds each of them."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.command_line import (
    Done,
    run,
    run_each,
    run_here,
    run_program,
    user_environ,
    with_charts,
)
from soundcharts_pipeline_tests.support.helpers import SLUG
from soundcharts_pipeline_tests.support.today import TODAY

PASSWORD = "a-password-that-nobody-may-read"
# What is wrong with the file, its text, the line, and words of the message.
BROKEN: dict[str, tuple[str, int, list[str]]] = {
    "no YAML": ("charts:\n  - slug: [a\n", 3, ["cannot be read as YAML", "check indentation"]),
    "a tab": ("charts:\n\t- slug: a\n", 2, ["cannot be read as YAML"]),
    "unknown key": ("charts:\n  - slug: a\n    shedule: hourly\n", 3, ["unknown key 'shedule'", "'schedule'"]),
    "bad cron": ("charts:\n  - slug: a\n    schedule: 61 * * * *\n", 3, ["bad schedule", "write"]),
    "unknown platform": (
        "defaults:\n  track_audience_platforms: [spotfy]\ncharts:\n  - slug: a\n",
        2,
        ["spotfy", "write 'spotify'"],
    ),
    "duplicate slug": ("charts:\n  - slug: a\n  - slug: a\n", 3, ["chart 'a' stands already in line 2", "remove one"]),
    "no charts": ("defaults:\n  active: true\n", 1, ["there are no charts", "- slug: global-28' under 'charts:'"]),
    "bad day": ("charts:\n  - slug: a\n    first_date: soon\n", 3, ["first_date is 'soon'", "write"]),
    "bad zone": ("charts:\n  - slug: a\n    timezone: Europe/Pari\n", 3, ["unknown timezone", "write 'Europe/Paris'"]),
    "no list": ("charts: global-28\n", 1, ["charts is 'global-28', not a list of charts", "write"]),
}
# What is wrong with the machine: changes to its environment, the exit code of `doctor`, words of what it says.
FINDINGS: dict[str, tuple[dict[str, str], int, list[str]]] = {
    "no key": ({"SOUNDCHARTS_API_KEY": ""}, 3, ["FAIL credentials", "set SOUNDCHARTS_APP_ID and SOUNDCHARTS_API_KEY"]),
    "wrong key": ({"SOUNDCHARTS_API_KEY": PASSWORD}, 3, ["ok network", "FAIL account", "refuses the credentials"]),
    "host down": (
        {"SOUNDCHARTS_BASE_URL": "http://127.0.0.1:1"},
        1,
        ["FAIL network", "127.0.0.1:1", "connection refused"],
    ),
    "reserve reached": (
        {"SOUNDCHARTS_QUOTA_RESERVE": "500000"},
        4,
        ["FAIL quota", "500,000", "lower SOUNDCHARTS_QUOTA_RESERVE"],
    ),
    "no charts file": (
        {"SOUNDCHARTS_CHARTS": "/none.yaml"},
        2,
        ["FAIL charts file", "/none.yaml: there is no such file"],
    ),
    "no number": (
        {"SOUNDCHARTS_MAX_IN_FLIGHT": "many"},
        2,
        ["SOUNDCHARTS_MAX_IN_FLIGHT: 'many' is not a whole number"],
    ),
}


@pytest.fixture
def ready(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has set up everything."""
    return with_charts(environ, tmp_path)


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """What `doctor` says of every finding."""
    folder = tmp_path_factory.mktemp("doctor")
    with Simulator(today=TODAY) as simulator:
        ready = with_charts(user_environ(simulator, folder), folder)
        return run_each({name: ({**ready, **changes}, ["doctor"]) for name, (changes, *_) in FINDINGS.items()})


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Done]]:
    """The folder of every broken file, and what `charts list` says of it."""
    folders = {kind: tmp_path_factory.mktemp("broken") for kind in BROKEN}
    done = run_each(
        {
            kind: (with_charts(os.environ, folders[kind], text), ["charts", "list"])
            for kind, (text, *_) in BROKEN.items()
        }
    )
    return {kind: (folders[kind], done[kind]) for kind in BROKEN}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_charts_file_is_reported_with_its_line_and_the_remedy(
    refused: dict[str, tuple[Path, Done]], kind: str
) -> None:
    _, line, words = BROKEN[kind]
    folder, done = refused[kind]

    assert done.code == 2
    assert done.out == ""
    assert done.says(f"Error: {folder}/charts.yaml:{line}: ", *words)


def test_every_mistake_of_a_charts_file_is_reported_at_once(environ: dict[str, str], tmp_path: Path) -> None:
    text = "charts:\n  - slug: a\n    active: maybe\n    heal_days: -1\n"

    done = run(with_charts(environ, tmp_path, text), "sync", "a")

    assert done.code == 2
    assert done.says("charts.yaml:3: ", "charts.yaml:4: ")


def test_a_missing_charts_file_says_how_to_write_one(ready: dict[str, str], tmp_path: Path) -> None:
    done = run({**ready, "SOUNDCHARTS_CHARTS": str(tmp_path / "none.yaml")}, "sync", SLUG)

    assert done.code == 2
    assert done.says(f"{tmp_path}/none.yaml: there is no such file", "soundcharts-pipeline init", "SOUNDCHARTS_CHARTS")


def test_an_endpoint_that_does_not_exist_is_a_mistake_of_the_charts_file(
    environ: dict[str, str], tmp_path: Path
) -> None:
    text = f"endpoints:\n  rankin: /api/v3/{{slug}}\ncharts:\n  - slug: {SLUG}\n"

    done = run(with_charts(environ, tmp_path, text), "sync", SLUG)

    assert done.code == 2
    assert done.says("charts.yaml: unknown endpoint 'rankin'", "ranking")


def test_dagster_ends_with_the_line_of_the_charts_file(environ: dict[str, str], tmp_path: Path) -> None:
    Path(environ["DAGSTER_HOME"]).mkdir()
    broken = with_charts(environ, tmp_path, "charts:\n  - slug: a\n    schedule: 61 * * * *\n")

    done = run_program(
        broken,
        Path(sys.executable).with_name("dg"),
        *("launch", "-m", "soundcharts_pipeline.definitions", "--assets", "*", "--partition", "a|2026-11-20"),
    )

    assert done.code != 0
    last = done.err.strip().splitlines()[-1]
    assert f"{tmp_path}/charts.yaml:3: bad schedule '61 * * * *'" in last
    assert "During handling of the above exception" not in done.err


@pytest.mark.parametrize("variable", ["SOUNDCHARTS_DATA_DIR", "DAGSTER_HOME"])
def test_a_folder_that_cannot_be_written_is_named_with_its_variable(
    ready: dict[str, str], tmp_path: Path, variable: str
) -> None:
    # Below a file there is no folder, not even for root.
    folder = tmp_path / "charts.yaml" / "below"

    wrong = {**ready, variable: str(folder)}
    done = run_each({"sync": (wrong, ["sync", SLUG]), "doctor": (wrong, ["doctor"])})

    assert (done["sync"].code, done["doctor"].code) == (1, 1)
    assert done["sync"].says(str(folder), "Not a directory", f"set {variable}")
    assert done["doctor"].says("FAIL", f"{folder} cannot be written", f"set {variable}")


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (f"mysql://me:{PASSWORD}@localhost/music", 2, ["'mysql' are not supported", "write sqlite:///"]),
        (f"me:{PASSWORD}@localhost", 2, ["not a database URL", "write sqlite:///"]),
        (
            f"postgresql://me:{PASSWORD}@127.0.0.1:1/music",
            1,
            [
                "cannot reach PostgreSQL at 127.0.0.1:1, database 'music', user 'me'",
                "check that the server runs",
                "variable that your",
            ],
        ),
    ],
)
def test_a_wrong_database_url_is_explained_without_its_password(
    ready: dict[str, str], url: str, code: int, words: list[str]
) -> None:
    wrong = {**ready, "SOUNDCHARTS_DATABASE_URL": url}

    for done in run_each({"sync": (wrong, ["sync", SLUG]), "doctor": (wrong, ["doctor"])}).values():
        assert done.code == code
        assert done.says("SOUNDCHARTS_DATABASE_URL", *words)
        assert PASSWORD not in done.text


def test_a_file_that_is_no_database_is_left_as_it_is(ready: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("shopping: bread, butter, a longer list than any header of a database file\n" * 50)

    done = run({**ready, "SOUNDCHARTS_DATABASE_URL": f"sqlite:///{path}"}, "sync", SLUG)

    assert done.code == 1
    assert done.says(str(path), "no SQLite file", "move it away")
    assert path.read_text().startswith("shopping")


@pytest.mark.parametrize(
    ("admin", "read", "words"),
    [
        ("x", None, ["SOUNDCHARTS_ADMIN_TOKEN: it has fewer than 16 characters"]),
        (PASSWORD[:15], None, ["SOUNDCHARTS_ADMIN_TOKEN: it has fewer than 16 characters"]),
        ("change-" * 6, None, ["SOUNDCHARTS_ADMIN_TOKEN: it has fewer than 8 different"]),
        (PASSWORD, "reader", ["SOUNDCHARTS_READ_TOKEN: it has fewer than 16"]),
        (PASSWORD, PASSWORD, ["SOUNDCHARTS_READ_TOKEN: it is the value of SOUNDCHARTS_ADMIN_TOKEN"]),
        ("TOKEN", "TOKEN", ["ADMIN_TOKEN: it has fewer", "READ_TOKEN: it has fewer", "it is the value of"]),
    ],
)
def test_a_token_that_can_be_guessed_is_refused_before_anything_starts(
    tmp_path: Path, admin: str, read: str | None, words: list[str]
) -> None:
    environ = {"SOUNDCHARTS_ADMIN_TOKEN": admin, "SOUNDCHARTS_DATA_DIR": str(tmp_path / "data")}
    environ |= {"SOUNDCHARTS_READ_TOKEN": read} if read else {}

    for options in ([], ["--alone"]):
        done = run_here(environ, "serve", *options)
        assert done.code == 2
        assert done.says(*words, "`openssl rand -hex 32`")
        assert PASSWORD[:15] not in done.text
    assert not (tmp_path / "data").exists()


def test_doctor_of_a_machine_that_is_set_up_has_one_fine_line_each(ready: dict[str, str], simulator: Simulator) -> None:
    done = run(ready, "doctor")

    assert done.code == 0
    lines = done.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert [line[5:20].strip() for line in lines] == [
        *(
            "charts file",
            "data directory",
            "Dagster's state",
            "database",
            "notifications",
            "credentials",
            "network",
            "quota",
        )
    ]
    assert done.says("2 charts, 2 active", simulator.url, "500,000 billed calls left")
    assert simulator.counters.billed == 0


def test_doctor_notes_a_variable_whose_name_is_misspelt(ready: dict[str, str]) -> None:
    misspelt = {"SOUNDCHARTS_CHART": "charts.yaml", "SOUNDCHARTS_QUOTA_RESERV": "5", "SOUNDCHARTS_OF_ANOTHER": "1"}
    done = run(ready | misspelt, "doctor")
    assert done.code == 0, done
    assert done.says("SOUNDCHARTS_CHART is not read; did you mean SOUNDCHARTS_CHARTS?")
    assert done.says("SOUNDCHARTS_QUOTA_RESERV is not read; did you mean SOUNDCHARTS_QUOTA_RESERVE?")
    assert "SOUNDCHARTS_OF_ANOTHER" not in done.out


def test_doctor_notes_what_others_can_read_and_a_token_that_can_be_guessed(simulator: Simulator) -> None:
    with TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ready = with_charts(user_environ(simulator, folder), folder)
        (folder / "data").mkdir()
        old = folder / "data" / "old.xlsx"
        old.touch(0o644)
        noted = run_here(ready, "doctor")
        allowed = run_here({**ready, "SOUNDCHARTS_UMASK": "022"}, "doctor")
        weak = run_here({**ready, "SOUNDCHARTS_ADMIN_TOKEN": "x"}, "doctor")

    assert noted.code == 0
    assert noted.says(f"note private files {old} can be read by others; `chmod -R go= {folder}/data`")
    assert allowed.code == 0
    assert "private files" not in allowed.text
    assert weak.code == 2
    assert weak.says("FAIL internal API SOUNDCHARTS_ADMIN_TOKEN: it has fewer than 16 characters")


@pytest.mark.parametrize("finding", FINDINGS)
def test_doctor_ends_with_the_code_of_what_it_found(examined: dict[str, Done], finding: str) -> None:
    _, code, words = FINDINGS[finding]

    assert examined[finding].code == code
    assert examined[finding].says(*words)
    assert PASSWORD not in examined[finding].text


def test_doctor_does_not_wait_for_a_rate_limit(ready: dict[str, str], simulator: Simulator) -> None:
    simulator.script("*", ["429-reset"])

    done = run(ready, "doctor")

    assert done.code == 4
    assert done.says("FAIL account", "maximum request count")
    assert simulator.counters.total == 1


@pytest.mark.parametrize("status", [403, 404])
def test_doctor_finds_nothing_wrong_with_a_plan_that_does_not_tell_its_usage(
    ready: dict[str, str], simulator: Simulator, status: int
) -> None:
    def refusal(_path: str, _status: int, _body: Any) -> tuple[int, Any]:
        return status, {"errors": [{"key": "access", "code": status, "message": "Not for you."}]}

    with altered(simulator.url, refusal) as url:
        done = run({**ready, "SOUNDCHARTS_BASE_URL": url}, "doctor")

    assert done.code == 0
    assert done.says("ok quota not known before the first billed call", f"{status} Not for you")
