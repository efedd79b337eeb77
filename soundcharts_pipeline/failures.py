"""Our errors to dagster.Failure: the only translation point. Nothing above the transport retries, so neither
does Dagster: a run that failed for good is run again by the healing sensor or by hand, and pays for the rest alone."""

import dagster as dg

from soundcharts_pipeline.api.errors import SoundchartsError
from soundcharts_pipeline.settings import SettingsError
from soundcharts_pipeline.storage.errors import StorageError
from soundcharts_pipeline.sync.report import SyncIncomplete

USER_ERRORS = (SoundchartsError, StorageError, SettingsError, SyncIncomplete)
KIND, CAUSE = "error", "cause"


def failure_of(error: Exception) -> dg.Failure:
    """The failure to raise, `from None`: its description is the whole message, its metadata the kind of error."""
    cause = error.cause if isinstance(error, SyncIncomplete) else error
    metadata: dict[str, dg.MetadataValue] = {KIND: dg.MetadataValue.text(_kind(cause))}
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
