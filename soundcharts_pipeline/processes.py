"""Processes of this host, as far as others need to know of them."""

import os
import signal
import socket
import sys
import threading


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


def end_with_stdin() -> None:
    """End this process when its standard input does: a parent that is killed takes its children along."""

    def follow() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()
