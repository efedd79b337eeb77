"""What the database says of all charts, as it was at the last look."""

import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select

from soundcharts_pipeline.monitoring.health import STRIP_DAYS
from soundcharts_pipeline.storage.endpoint_states import EndpointState, refusing_endpoints
from soundcharts_pipeline.storage.queries.chart_states import (
    ChartState,
    Totals,
    Usage,
    chart_states,
    totals,
    usage_of,
    wait_for_tables,
)
from soundcharts_pipeline.storage.rate_gate import Minute, minute_of
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline.storage.warehouse import Warehouse

# Totals read every point of an SQLite file: once a minute, and never more than a hundredth of the time.
TOTALS_LOOK = timedelta(minutes=1)
TOTALS_SHARE = 0.01
_COUNTRIES = select(s.charts.c.slug, s.charts.c.country_code).where(s.charts.c.country_code.is_not(None))


class StoredFacts:
    """`look` is for one thread, what it found for any. `refusing` are endpoints that refused everything lately."""

    def __init__(self) -> None:
        self.states: Mapping[str, ChartState] = {}
        self.countries: Mapping[str, str] = {}
        self.usage: Usage | None = None
        self.minute: Minute | None = None
        self.totals: Totals | None = None
        self.refusing: Sequence[EndpointState] = ()
        self._totals_due: datetime | None = None

    def look(self, warehouse: Warehouse, today: date, now: datetime) -> None:
        """Read all of it again, totals when they are due. `today` is the calendar's day. Raises StorageError."""
        # Reads are let in beside a writer, so only a writer notices that the database stays locked.
        with warehouse.write() as conn:
            wait_for_tables(conn)
        with warehouse.read() as conn:
            self.states = chart_states(conn, today - timedelta(days=STRIP_DAYS))
            self.countries = {row.slug: row.country_code for row in conn.execute(_COUNTRIES)}
            self.usage = usage_of(conn, today)
            self.refusing = refusing_endpoints(conn)
        self.minute = minute_of(warehouse, now)
        if self._totals_due is None or now >= self._totals_due:
            began = time.monotonic()
            with warehouse.read() as conn:
                self.totals = totals(conn)
            took = timedelta(seconds=(time.monotonic() - began) / TOTALS_SHARE)
            self._totals_due = now + max(TOTALS_LOOK, took)
