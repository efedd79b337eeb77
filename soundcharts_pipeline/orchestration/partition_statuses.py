"""Dagster's record of which partitions of an asset are there, made before somebody looks at it.

Its pages make that record when it is missing or far behind: after a chart was added or removed, or after a large
backfill. They do so in the web server, from every materialization of the asset, while whoever opened the page waits
(docs/decisions/0033-statuses-of-partitions.md).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from soundcharts_pipeline.orchestration.dagster_internals import get_and_update_asset_status_cache_value
from soundcharts_pipeline.orchestration.run_requests import asset_key

# Then each asset's record is brought up to date again, so that little is left to whoever looks.
EVERY = timedelta(hours=1)


class PartitionStatuses:
    """Of some assets with these partitions. It lives as long as the definitions do: what a changed charts.yaml makes
    begins with a round of its own."""

    def __init__(self, keys: Sequence[str], partitions: dg.MultiPartitionsDefinition) -> None:
        self._keys = keys
        self._partitions = _PlainKeys({one.name: one.partitions_def for one in partitions.partitions_defs})
        self._left: list[str] = []
        self._next_round: datetime | None = None

    def update_one(self, instance: dg.DagsterInstance, now: datetime) -> None:
        """Bring the record of the next asset up to date, so that a look of a sensor waits for one at most."""
        if not self._left and (self._next_round is None or now >= self._next_round):
            self._left, self._next_round = list(self._keys), now + EVERY
        if self._left:
            get_and_update_asset_status_cache_value(instance, asset_key(self._left.pop(0)), self._partitions)


class _PlainKeys(dg.MultiPartitionsDefinition):
    """The same partitions, with the same identifier, in whose records keys are plain strings: Dagster makes an object
    with a dictionary of each, which takes it four fifths of the time and three times the memory."""

    def filter_valid_partition_keys(self, partition_keys: set[str]) -> set[str]:  # type: ignore[override]
        charts, days = (set(one.partitions_def.get_partition_keys()) for one in self.partitions_defs)
        return {key for key in partition_keys if (parts := key.rpartition("|"))[0] in charts and parts[2] in days}
