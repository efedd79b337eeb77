"""Who else has the database open at this moment, in words: for commands that better have it for themselves."""

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, text

from soundcharts_pipeline.storage import engine
from soundcharts_pipeline.storage.errors import explained

# Linux has a folder for each process, and in it a link for each open file; those of other users show to root alone.
_PROCESSES = Path("/proc")
_SESSIONS = """SELECT pid, usename, application_name FROM pg_stat_activity
WHERE datname = current_database() AND usename IS NOT NULL AND pid <> pg_backend_pid() ORDER BY pid"""
_LONGEST_COMMAND = 60


def others_at(url: URL) -> list[str]:
    """A phrase for each session of a PostgreSQL database, or for each process that has the SQLite file open. Raises
    StorageError when the server does not answer."""
    if url.get_backend_name() == "sqlite":
        return _processes_at(Path(url.database or ""))
    opened = engine.open_engine(url, lock_timeout=engine.LOCK_TIMEOUT_SECONDS)
    try:
        with explained(url), opened.connect() as connection:
            # What a session calls itself is told to its own user alone.
            return [
                f"session {pid} of {user}" + (f" ({name})" if name else "")
                for pid, user, name in connection.execute(text(_SESSIONS))
            ]
    finally:
        opened.dispose()


def _processes_at(file: Path) -> list[str]:
    path, found = os.path.realpath(file), []
    for folder in _PROCESSES.glob("[0-9]*"):
        if int(folder.name) != os.getpid():
            # It may end while we look, or be another user's.
            with suppress(OSError):
                if any(str(link.readlink()) == path for link in (folder / "fd").iterdir()):
                    found.append((int(folder.name), _command_of(folder)))
    return [f"process {pid} ({command})" for pid, command in sorted(found)]


def _command_of(folder: Path) -> str:
    """How it was called, without the folders of its programs."""
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return " ".join(Path(word).name if word.startswith("/") else word for word in words if word)[:_LONGEST_COMMAND]
