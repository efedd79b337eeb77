"""Files that are whole or not there."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from soundcharts_pipeline.storage.files import TEMPORARY, readable_by_others, whole_file

KILLED = """
import os, signal, sys
from pathlib import Path
from soundcharts_pipeline.storage.files import whole_file
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_appears_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "made.txt"
    with whole_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("reason", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_one_leaves_what_was_there(tmp_path: Path, reason: type[BaseException]) -> None:
    path = tmp_path / "made.txt"
    path.write_text("before")

    def write() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise reason

    with pytest.raises(reason):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_by_the_next_one_and_nothing_else_is(tmp_path: Path) -> None:
    path, other = tmp_path / "made.txt", tmp_path / f".made.txt.another-host-1{TEMPORARY}"
    other.touch()
    subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert not path.exists()
    [left] = set(tmp_path.iterdir()) - {other}
    left.with_name(f"{left.name}.parts").mkdir()
    with whole_file(path) as temporary:
        temporary.write_text("whole")
    assert set(tmp_path.iterdir()) == {path, other}


@pytest.mark.parametrize("is_there", [True, False])
def test_of_a_link_the_file_it_leads_to_is_made(tmp_path: Path, is_there: bool) -> None:
    target, first, second = tmp_path / "there" / "made.txt", tmp_path / "first", tmp_path / "second"
    target.parent.mkdir()
    first.symlink_to("there/made.txt")
    second.symlink_to(first)
    if is_there:
        target.write_text("before")
        target.chmod(0o640)
    with whole_file(second) as temporary:
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert (first.is_symlink(), second.is_symlink()) == (True, True)
    assert list(target.parent.iterdir()) == [target]
    if is_there:
        assert target.stat().st_mode & 0o777 == 0o640


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    pipe, folder, loop = tmp_path / "pipe", tmp_path / "folder", tmp_path / "loop"
    os.mkfifo(pipe)
    folder.mkdir()
    loop.symlink_to(loop)
    before = {path: path.lstat().st_mode for path in tmp_path.iterdir()}
    for path in (pipe, folder, loop):
        with pytest.raises(OSError, match="it is a"), whole_file(path) as temporary:
            temporary.write_text("whole")
    assert {path: path.lstat().st_mode for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("above", "folder", "file", "umask", "found"),
    [
        (0o755, 0o755, 0o644, 0o077, True),
        (0o755, 0o755, 0o640, 0o077, True),
        (0o755, 0o755, 0o600, 0o077, False),
        # What cannot be entered cannot be read.
        (0o700, 0o755, 0o644, 0o077, False),
        (0o755, 0o700, 0o644, 0o077, False),
        (0o750, 0o750, 0o644, 0o077, True),
        # The user said so.
        (0o755, 0o755, 0o640, 0o027, False),
        (0o755, 0o755, 0o644, 0o027, True),
        (0o755, 0o755, 0o644, 0o022, False),
    ],
)
def test_a_file_is_open_to_others_only_where_they_get_to_it(
    above: int, folder: int, file: int, umask: int, found: bool
) -> None:
    with TemporaryDirectory(dir="/tmp") as root:
        parent, path = Path(root) / "above", Path(root) / "above" / "data" / "made.db"
        path.parent.mkdir(parents=True)
        path.touch()
        for one, mode in ((root, 0o755), (path, file), (path.parent, folder), (parent, above)):
            Path(one).chmod(mode)

        assert readable_by_others(path.parent, umask) == (path if found else None)
        assert readable_by_others(path, umask) == (path if found and folder & 0o011 else None)
