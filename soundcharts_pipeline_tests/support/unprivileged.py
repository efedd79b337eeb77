"""Somebody who may not write everywhere: root may, whatever a file's mode says."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def somebody(folder: Path) -> Iterator[None]:
    """The folder with all that is in it belongs to somebody who is not root, who this process is while the block
    lasts."""
    if os.geteuid() == 0:
        _let_through(folder)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, -1)
    with _not_root():
        yield


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    """The file and its folder may be read and not written to by this process, all its threads included, while the
    block lasts."""
    _let_through(file.parent)
    file.parent.chmod(0o555)
    file.chmod(0o444)
    try:
        with _not_root():
            yield
    finally:
        file.parent.chmod(0o755)
        file.chmod(0o644)


@contextmanager
def _not_root() -> Iterator[None]:
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def _let_through(inner: Path) -> None:
    for folder in (inner, *inner.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o005:
            folder.chmod(0o755)
