"""Files that are whole or not there: written under a temporary name, forced to disk, renamed.

What a disk refuses is raised as an error of `storage.errors` that says which folder and what to do.
"""

import errno
import fcntl
import glob
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soundcharts_pipeline.storage.disk import NO_ROOM, free_in_words
from soundcharts_pipeline.storage.errors import StorageBusy, StorageFull, StorageUnavailable
from soundcharts_pipeline.storage.processes import host_name, is_alive

TEMPORARY = ".tmp"
READ_BYTES = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class FileDamaged(StorageUnavailable):
    """A file of ours is missing, cut off or changed."""


@contextmanager
def work_in(folder: Path) -> Iterator[None]:
    """Make the folder and have it for this process alone; the system gives it back when the process dies."""
    with explained_files(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StorageBusy(f"another process is at work in {folder}; try again when it has ended") from None
            yield


@contextmanager
def explained_files(folder: Path) -> Iterator[None]:
    """Raise what the disk refuses as one of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull(
                f"no space left for {folder} ({free_in_words(folder)}); nothing was lost. Free some disk space or move "
                "SOUNDCHARTS_DATA_DIR, and run it again"
            ) from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StorageUnavailable(
            f"{error.filename or folder} cannot be used ({reason}); make it and its folder writable, or set "
            "SOUNDCHARTS_DATA_DIR to a folder that is"
        ) from error


def temporary_name(path: Path) -> Path:
    """Where a file is written before it is whole."""
    return path.with_name(path.name + TEMPORARY)


def settle(path: Path) -> None:
    """Give a file that was written whole under its temporary name its own: durable, and in one step."""
    temporary = temporary_name(path)
    _force(temporary)
    temporary.replace(path)
    _force(path.parent)


def no_file(path: Path) -> str | None:
    """What stands at a path, or where its links lead, that is no file and must not be replaced by one: `a pipe`."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads to itself"
        raise
    if stat.S_ISDIR(mode):
        return "a folder"
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write, for this process alone; when the block ends the file has its own name, durable and in one step.
    Of a link the file that it leads to is written. A block that raises leaves nothing behind; what a process that was
    killed left, also in folders whose names begin so, is removed by the next one. Raises OSError for what is no file.
    """
    if what := no_file(path):
        raise OSError(errno.EINVAL, f"it is {what}", str(path))
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    of_this_host = f".{path.name}.{host_name()}-"
    temporary = path.with_name(f"{of_this_host}{os.getpid()}{TEMPORARY}")
    for left in path.parent.glob(f"{glob.escape(of_this_host)}*{TEMPORARY}*"):
        owner = left.name.removeprefix(of_this_host).partition(TEMPORARY)[0]
        if not (owner.isdecimal() and is_alive(int(owner))):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    try:
        yield temporary
        if path.exists():
            # Whoever was let in to the file stays so.
            shutil.copymode(path, temporary)
        _force(temporary)
        temporary.replace(path)
        _force(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a small file."""
    temporary_name(path).write_text(text, encoding="utf-8")
    settle(path)


def sha256_of(path: Path) -> str:
    """The checksum of a file, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def readable_by_others(folder: Path, umask: int) -> Path | None:
    """A file in the folder, or the folder's own path when it is a file, that others may read though the umask says that
    they may not; None where there is none, and where others do not get that far."""
    above = [parent.stat().st_mode for parent in folder.absolute().parents]
    for of_others, enters in ((0o004, 0o001), (0o040, 0o011)):
        if of_others & umask and all(mode & enters for mode in above):
            found = next(_readable(folder, of_others, enters), None)
            if found:
                return found
    return None


def _readable(path: Path, reads: int, enters: int) -> Iterator[Path]:
    mode = path.stat(follow_symlinks=False).st_mode
    if stat.S_ISREG(mode) and mode & reads:
        yield path
    elif stat.S_ISDIR(mode) and mode & enters:
        for child in path.iterdir():
            yield from _readable(child, reads, enters)


def _force(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
