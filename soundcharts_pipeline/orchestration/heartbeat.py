"""A run's process says in the database, from a thread of its own, that it is alive."""

import threading
from contextlib import suppress

from sqlalchemy import Connection

from soundcharts_pipeline.orchestration.dagster_internals import DagsterExecutionInterruptedError
from soundcharts_pipeline.storage import leases
from soundcharts_pipeline.storage.claims import new_holder
from soundcharts_pipeline.storage.leases import Lengths
from soundcharts_pipeline.storage.warehouse import Warehouse

# A beat that fails (the database is away, or busy) is tried again soon: then the lease is renewed before it is missed.
RETRY_SECONDS = 5.0
# The longest wait for somebody else's lock.
LOCK_SECONDS = 5.0
# A run's end waits so long for the last beat; a thread that is still connecting ends by itself.
STOP_SECONDS = 5.0


class Heartbeat:
    """Beats from its making to `stop`, with connections of its own: a save that takes long holds up none of them."""

    def __init__(self, database_url: str, run_id: str, lengths: Lengths) -> None:
        self._warehouse = Warehouse(database_url, lock_timeout=LOCK_SECONDS)
        self._run_id, self._holder, self._lengths = run_id, new_holder(), lengths
        self._is_taken = False
        self._is_lost = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="soundcharts-heartbeat", daemon=True)
        self._thread.start()

    def check(self, conn: Connection) -> None:
        """Raises DagsterExecutionInterruptedError when the run is not this process's any more: it was silent for so
        long (cut off, suspended) that the run was ended, and others are at work on its days. `conn`: a transaction of
        the warehouse, which then saves nothing."""
        if not self._is_taken:
            return
        if not self._is_lost and conn.dialect.name == "sqlite":
            with self._warehouse.beside().read() as beside:
                self._is_lost = not leases.is_held(beside, self._run_id, self._holder)
        elif not self._is_lost:
            self._is_lost = not leases.is_held(conn, self._run_id, self._holder)
        if self._is_lost:
            raise DagsterExecutionInterruptedError(
                "the run is not this process's any more: it was silent for so long that it was ended, or a restore "
                "took its lease away; what was saved stays, run it again, or leave that to a running daemon"
            )

    def stop(self) -> None:
        """The run is over."""
        self._stopped.set()
        self._thread.join(STOP_SECONDS)

    def _beat(self) -> None:
        seconds = 0.0
        while not self._stopped.wait(seconds) and not self._is_lost:
            seconds = min(RETRY_SECONDS, self._lengths.beat)
            with suppress(Exception):  # whatever it is, the next beat may be well; the run's own work tells of it
                self._renew()
                seconds = self._lengths.beat
        with suppress(Exception), self._warehouse.beside().write() as conn:
            leases.give_back(conn, self._run_id, self._holder)
        self._warehouse.close()

    def _renew(self) -> None:
        with self._warehouse.beside().write() as conn:
            if self._is_taken:
                self._is_lost = not leases.renew(conn, self._run_id, self._holder, seconds=self._lengths.lease)
            else:
                leases.take(conn, self._run_id, self._holder, seconds=self._lengths.lease)
        self._is_taken = True
