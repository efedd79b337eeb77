"""Processes of this host, as far as others need to know of them."""

import os
import socket
from contextlib import suppress
from pathlib import Path


def host_name() -> str:
    """This host, as its processes tell it to those of other hosts."""
    return socket.gethostname()


def is_alive(pid: int) -> bool:
    """Whether a process of this host has this number. One that has ended is none, though nobody has asked how yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in ("Z", "X")
    return True
