"""Processes that hold a lease on a run and are not there any more."""

import subprocess
import sys

from soundcharts_pipeline.storage import leases
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.processes import host_name
from soundcharts_pipeline.storage.warehouse import Warehouse

# Every look counts: nobody waits.
EVERY_LOOK = Lengths(between_looks=0)


def dead_pid() -> int:
    """The number of a process of this host that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def held_by_a_dead_process(warehouse: Warehouse, run_id: str) -> int:
    """Its number; the lease goes on."""
    pid = dead_pid()
    with warehouse.beside().write() as conn:
        leases.take(conn, run_id, f"{host_name()}/{pid}/1", seconds=60)
    return pid


def held_by_a_silent_host(warehouse: Warehouse, run_id: str) -> str:
    """Its name; the lease has run out."""
    with warehouse.beside().write() as conn:
        leases.take(conn, run_id, "another-host/4711/1", seconds=-60)
    return "another-host"
