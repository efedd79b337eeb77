"""What a step records of its partitions.

Dagster records the partitions of a step when it has succeeded. So one that fails or is interrupted records those that
are done by itself, and which of the others failed. So does one that could not work on all of its days.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

import dagster as dg

from soundcharts_pipeline.errors import PipelineError
from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.assets.day_record import DayRecord
from soundcharts_pipeline.orchestration.assets.lacking import Lack, failure_of_lacking
from soundcharts_pipeline.orchestration.failed_days import record_failed_days
from soundcharts_pipeline.orchestration.failures import LEFT_OUT, failure_of
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.sync.preconditions import UpstreamMissing

Metadata = dict[str, Any]

NOTHING = "Soundcharts has nothing for this day"
ARCHIVED = "this day is in the archive: `soundcharts-pipeline restore-archive` brings it back, without a call"


class Recording:
    """The partitions of one step: `done` are those complete, with their metadata. `remarks`: what the answers of the
    span held that is worked on, in short."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self.done: dict[str, Metadata] = {}
        self.remarks = ""
        self._lacking: list[Lack] = []

    @contextmanager
    def span(self, span: ChartDays, record: DayRecord | None = None) -> Iterator[None]:
        """Work on a span of days within the block, part of which may be recorded already. Raises dagster.Failure for
        a PipelineError, and every other error as it is."""
        try:
            yield
        except BaseException as error:
            # Not only errors: a run that is cancelled records what it leaves behind, too.
            self.materialize(self.done)
            if record is not None:
                with suppress(StorageError):
                    record.finish()
            if isinstance(error, Exception):
                record_failed_days(self._context, {*self.done, *(record.recorded if record else ())})
            if isinstance(error, PipelineError):
                about = Subject(span.slug, span.first, span.last, self._context.asset_key.to_user_string())
                raise failure_of(error, about=about, below=self._below(), remarks=self.remarks) from None
            raise

    def materialize(self, finished: Mapping[str, Metadata]) -> None:
        """Record partitions although their step is not complete."""
        for key, metadata in finished.items():
            self._context.log_event(
                dg.AssetMaterialization(asset_key=self._context.asset_key, partition=key, metadata=metadata)
            )

    def lack(self, reasons: Iterable[UpstreamMissing], span: ChartDays, published: Collection[date]) -> list[date]:
        """Note which days of the span cannot be worked on; returns the others. `published` are the chart's."""
        found = [Lack(reason, span.slug, published) for reason in reasons]
        self._lacking += found
        days = {day for lack in found for day in lack.reason.days}
        others = [day for day in span.days if day not in days]
        if others:
            for lack in found:
                self._context.log.warning(f"{lack.reason}. The other days are worked on")
        return others

    def results(self, checks: Sequence[dg.AssetCheckResult], *, left_out: bool = False) -> Iterator[Any]:
        """The results of a step that has worked on all it could: Dagster records its partitions. Those that settings
        leave out get a version by which they are known: with other settings they are still to be made. Raises
        dagster.Failure for the days that could not be worked on, when the others are recorded and checked."""
        if self._lacking:
            self.materialize(self.done)
            record_failed_days(self._context, self.done)
            yield from checks if self.done else ()
            asset, others_done = self._context.asset_key.to_user_string(), bool(self.done)
            raise failure_of_lacking(
                self._lacking, asset, below=self._below(), remarks=self.remarks, others_done=others_done
            )
        for key, metadata in self.done.items():
            self._context.add_asset_metadata(metadata, partition_key=key)
        version = dg.DataVersion(LEFT_OUT) if left_out else None
        yield dg.MaterializeResult(check_results=checks, data_version=version)

    def _below(self) -> list[str]:
        """Assets of this run that Dagster leaves out when this one fails."""
        layer = self._context.job_def.asset_layer
        return sorted(
            key.to_user_string()
            for key in layer.selected_asset_keys
            if self._context.asset_key in layer.asset_graph.get_ancestor_asset_keys(key)
        )
