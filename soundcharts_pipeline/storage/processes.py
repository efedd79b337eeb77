"""Processes of this host, as far as others need to know of them."""

import os
import socket


def host_name() -> str:
    """This host, as its processes tell it to those of other hosts."""
    return socket.gethostname()


def is_alive(pid: int) -> bool:
    """Whether a process of this host has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
