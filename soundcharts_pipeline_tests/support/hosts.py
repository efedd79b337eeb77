"""Hosts of our own on this machine: each a network namespace with an address and a host name, on one bridge in a
namespace that no other network reaches.

Making them needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN. Elsewhere all "hosts" are processes on the loopback address,
and one that is cut off is suspended instead: for the others it is as silent.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

NAMESPACES = Path("/run/netns")
NEW_NETWORK, NEW_NAME = 0x40000000, 0x04000000
TAG = "soundcharts"
LIBC = ctypes.CDLL(None, use_errno=True)


class Hosts(Protocol):
    """What can be done to hosts, by their names."""

    can_be_cut: bool

    def address(self, name: str) -> str:
        """Where the others find it."""

    def inside(self, name: str) -> AbstractContextManager[None]:
        """What this thread opens or starts in the block belongs to the host."""

    def cut(self, name: str) -> None:
        """Nothing comes or goes any more, and nobody is told."""

    def heal(self, name: str) -> None:
        """The opposite."""

    def pids(self, name: str) -> list[int]:
        """The processes of the host."""


def start(
    hosts: Hosts, name: str, command: Sequence[str], *, environ: Mapping[str, str], folder: Path, log: Path
) -> "subprocess.Popen[bytes]":
    """A process of the host, in a session of its own."""
    with hosts.inside(name), log.open("a") as printed:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if isinstance(hosts, _Loopback):
        hosts.sessions.setdefault(name, []).append(process.pid)
    return process


def kill(hosts: Hosts, name: str) -> None:
    """Every process of the host."""
    while pids := hosts.pids(name):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap(pids)


@contextmanager
def opened(*names: str) -> Iterator[Hosts]:
    """Hosts of these names until the block ends, and their processes with them. Says on the standard error stream when
    they are none of their own."""
    _clear_away()
    tag = f"{TAG}{os.getpid()}"
    try:
        network = _Network(tag, names)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no network namespaces ({error}): hosts are processes, and suspended when cut off", file=sys.stderr)  # noqa: T201
        hosts: Hosts = _Loopback()
        close: Callable[[], None] = lambda: None  # noqa: E731
    else:
        hosts, close = network, network.close
    try:
        yield hosts
    finally:
        for name in names:
            kill(hosts, name)
        close()


class _Network:
    """Namespaces, their links and their addresses."""

    can_be_cut = True

    def __init__(self, tag: str, names: Sequence[str]) -> None:
        self._tag, self._made = tag, list[str]()
        self._addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, start=1)}
        self._ports = {name: f"port{number}" for number, name in enumerate(names, start=1)}
        try:
            self._make("")
            self._in("", "link", "add", "bridge", "type", "bridge")
            self._in("", "link", "set", "bridge", "up")
            for name in names:
                self._connect(name)
            with self.inside(names[0]):
                pass
        except BaseException:
            self.close()
            raise

    def address(self, name: str) -> str:
        return self._addresses[name]

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        own = Path(f"/proc/self/task/{threading.get_native_id()}/ns")
        with (own / "net").open() as network, (own / "uts").open() as names:
            try:
                with self._path(name).open() as there:
                    _checked(LIBC.setns(there.fileno(), NEW_NETWORK))
                _checked(LIBC.unshare(NEW_NAME))
                socket.sethostname(name)
                yield
            finally:
                _checked(LIBC.setns(network.fileno(), NEW_NETWORK))
                _checked(LIBC.setns(names.fileno(), NEW_NAME))

    def cut(self, name: str) -> None:
        self._in("", "link", "set", self._ports[name], "down")

    def heal(self, name: str) -> None:
        self._in("", "link", "set", self._ports[name], "up")

    def pids(self, name: str) -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", self._path(name).name).split()]

    def close(self) -> None:
        """The links go with the namespaces."""
        while self._made:
            _ip("netns", "del", self._made.pop())

    def _connect(self, name: str) -> None:
        self._make(name)
        ends = ["type", "veth", "peer", "name", "eth0", "netns", self._path(name).name]
        self._in("", "link", "add", self._ports[name], *ends)
        self._in("", "link", "set", self._ports[name], "master", "bridge", "up")
        self._in(name, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            self._in(name, "link", "set", device, "up")

    def _make(self, name: str) -> None:
        _ip("netns", "add", self._path(name).name)
        self._made.append(self._path(name).name)

    def _in(self, name: str, *words: str) -> None:
        _ip("-n", self._path(name).name, *words)

    def _path(self, name: str) -> Path:
        """That of the bridge has no name."""
        return NAMESPACES / f"{self._tag}-{name}"


class _Loopback:
    """One address for all."""

    can_be_cut = False

    def __init__(self) -> None:
        self.sessions: dict[str, list[int]] = {}

    def address(self, _name: str) -> str:
        return "127.0.0.1"

    def inside(self, _name: str) -> AbstractContextManager[None]:
        return nullcontext()

    def cut(self, name: str) -> None:
        self._tell(name, signal.SIGSTOP)

    def heal(self, name: str) -> None:
        self._tell(name, signal.SIGCONT)

    def pids(self, name: str) -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and os.getsid(int(folder.name)) in self.sessions.get(name, []):
                    found.append(int(folder.name))
        return [pid for pid in found if not _is_zombie(pid)]

    def _tell(self, name: str, number: signal.Signals) -> None:
        for pid in self.pids(name):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _clear_away() -> None:
    """Namespaces of a process that was killed, and what is at work in them."""
    for path in NAMESPACES.glob(f"{TAG}*-*") if NAMESPACES.exists() else ():
        if not Path("/proc", path.name.partition("-")[0].removeprefix(TAG)).exists():
            for pid in _ip("netns", "pids", path.name).split():
                os.kill(int(pid), signal.SIGKILL)
            _ip("netns", "del", path.name)


def _ip(*words: str) -> str:
    program = shutil.which("ip") or "/usr/sbin/ip"
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _reap(pids: Sequence[int]) -> None:
    """Those that are this process's own children."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
