"""Our errors to dagster.Failure: the only translation point. Nothing above the transport retries, so neither
does Dagster: a run that failed for good is run again by the healing sensor or by hand, and pays for the rest alone."""

from collections.abc import Sequence

import dagster as dg

from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.settings import SettingsError
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.sync.upstream import UpstreamMissing
from soundcharts_pipeline.troubleshooting import trouble_of

USER_ERRORS = (SoundchartsError, StorageError, SettingsError, SyncIncomplete, UpstreamMissing)
# In the metadata of failures; the remedy stands with failed checks too.
KIND, CAUSE, REMEDY, MORE, BELOW = "error", "cause", "what_to_do", "more", "not_run"
# In the metadata of a materialisation, beside the number of what Soundcharts does not have.
NOT_FOUND_MEANS = "not_found_means"
# Metrics of a platform that have no data for anybody, on a check.
WITHOUT_DATA = "without_data"


def failure_of(error: Exception, *, below: Sequence[str] = ()) -> dg.Failure:
    """The failure to raise: its description is the whole message, its metadata the kind of error and what to do.
    A step raises it `from None`; a tick `from error`, for Dagster keeps of a tick's failure no metadata. `below` are
    the assets that the run leaves out because of it."""
    cause = error.cause if isinstance(error, SyncIncomplete) else error
    trouble = trouble_of(_kind(cause))
    metadata: dict[str, dg.MetadataValue] = {
        KIND: dg.MetadataValue.text(_kind(cause)),
        REMEDY: dg.MetadataValue.text(trouble.remedy),
        MORE: dg.MetadataValue.text(f"{trouble.title}: {trouble.place}"),
    }
    if below:
        metadata[BELOW] = dg.MetadataValue.text(", ".join(below))
    if isinstance(error, SyncIncomplete):
        report = error.report
        metadata |= {
            CAUSE: dg.MetadataValue.text(str(cause)),
            "still_to_do": dg.MetadataValue.int(report.remaining),
            "calls": dg.MetadataValue.int(report.calls),
        }
        if report.quota_remaining is not None:
            metadata["quota_left"] = dg.MetadataValue.int(report.quota_remaining)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)


def _kind(error: BaseException) -> str:
    """The name of the error's class in our own tree, e.g. AuthenticationError."""
    return type(error).__name__
