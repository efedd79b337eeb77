"""`init`: what it writes, and what it does not touch."""

import os
from pathlib import Path

import pytest

from soundcharts_pipeline_tests.support.command_line import run_here

FILES = [".env.example", "charts.yaml", "dagster.yaml", "definitions.py", "dg.toml", "workspace.yaml"]


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder with a charts file and an example of the environment of its user's own."""
    (tmp_path / "charts.yaml").write_text("charts: # mine\n")
    (tmp_path / ".env.example").write_text("MINE=1\n")
    return tmp_path


def test_a_folder_is_made_and_what_comes_next_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "music"

    done = run_here(os.environ, "init", folder)

    assert done.code == 0
    assert sorted(_texts(folder)) == FILES
    assert done.says(f"{folder}: .env.example, charts.yaml", "dg.toml", "soundcharts-pipeline demo", "doctor")


def test_files_that_are_there_are_named_and_nothing_is_written(begun: Path) -> None:
    before = _texts(begun)

    done = run_here(os.environ, "init", begun)

    assert done.code == 2
    assert done.says(f"{begun} already has .env.example, charts.yaml;", "nothing was written", "--keep", "--force")
    assert _texts(begun) == before


def test_with_keep_the_others_are_written(begun: Path) -> None:
    before = _texts(begun)

    done = run_here(os.environ, "init", begun, "--keep")

    assert done.code == 0
    assert done.says(f"{begun}: dagster.yaml, workspace.yaml, definitions.py, dg.toml ")
    assert sorted(_texts(begun)) == FILES
    assert _texts(begun).items() >= before.items()


def test_with_force_they_are_replaced(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    new = tmp_path_factory.mktemp("new")
    assert run_here(os.environ, "init", new).code == 0

    done = run_here(os.environ, "init", begun, "--force")

    assert done.code == 0
    assert _texts(begun) == _texts(new)


def test_keep_and_force_exclude_each_other(begun: Path) -> None:
    before = _texts(begun)
    done = run_here(os.environ, "init", begun, "--keep", "--force")
    assert done.code == 2
    assert done.says("give --keep or --force, not both")
    assert _texts(begun) == before


def test_a_folder_that_cannot_be_made_is_named(begun: Path) -> None:
    done = run_here(os.environ, "init", begun / "charts.yaml" / "below")
    assert done.code == 2
    assert done.says(f"{begun}/charts.yaml/below cannot be written (Not a directory)", "name another folder")
