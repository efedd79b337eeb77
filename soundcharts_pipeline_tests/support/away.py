"""A PostgreSQL database that nobody reaches for a while, from the middle of a run."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, make_url, text

from soundcharts_pipeline.simulator import Simulator

# Calls into the audience of the tracks of the chart.
IN_THE_MIDDLE = 60


@contextmanager
def away(simulator: Simulator, url: str, *, until: Callable[[], bool]) -> Iterator[None]:
    """Away from the middle of the work until then, and until every call that was under way has been answered; at most
    to the end of the block."""
    elsewhere = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    over = threading.Event()

    def go() -> None:
        _until(over, lambda: simulator.counters.total >= IN_THE_MIDDLE)
        _admit(elsewhere, url, admitted=False)
        _until(over, lambda: simulator.counters.in_flight == 0 and until())
        _admit(elsewhere, url, admitted=True)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        elsewhere.dispose()


def _until(over: threading.Event, condition: Callable[[], bool]) -> None:
    while not condition() and not over.wait(0.01):
        pass


def _admit(elsewhere: Engine, url: str, *, admitted: bool) -> None:
    """Whether the server lets anybody into the database; nobody is left in it when not."""
    name = make_url(url).database
    with elsewhere.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {admitted}"))
        if not admitted:
            ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(ended), {"name": name})
