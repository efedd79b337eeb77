"""Our errors to dagster.Failure: the only translation point. Nothing above the transport retries, so neither
does Dagster: a run that failed for good is run again by the healing sensor or by hand, and pays for the rest alone."""

from collections.abc import Sequence

import dagster as dg

from soundcharts_pipeline.remedies import NOBODY, Subject
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.troubleshooting import trouble_of

# In the metadata of failures; the remedy stands with failed checks too.
KIND, CAUSE, REMEDY, MORE, BELOW = "error", "cause", "what_to_do", "more", "not_run"
# In the metadata of a materialisation, beside the number of what Soundcharts does not have.
NOT_FOUND_MEANS = "not_found_means"
# Why an asset asked nothing, or less than it would.
LEFT_OUT = "left_out"
# Likewise, and of failures: what answers held that could not be taken as it came, a line for each kind.
REMARKS_IN_SHORT = "remarks_in_short"
# Metrics of a platform that have no data for anybody, on a check.
WITHOUT_DATA = "without_data"


def failure_of(
    error: Exception, *, about: Subject = NOBODY, below: Sequence[str] = (), remarks: str = ""
) -> dg.Failure:
    """The failure to raise: its description is the whole message, its metadata the kind of error and what to do.
    A step raises it `from None`; a tick `from error`, for Dagster keeps of a tick's failure no metadata. `below` are
    the assets that the run leaves out because of it, `remarks` what its answers held, in short. What to do is said of
    the chart, days and asset that it is `about`."""
    cause = error.cause if isinstance(error, SyncIncomplete) else error
    trouble = trouble_of(_kind(cause))
    metadata: dict[str, dg.MetadataValue] = {
        KIND: dg.MetadataValue.text(_kind(cause)),
        REMEDY: dg.MetadataValue.text(trouble.advice(about)),
        MORE: dg.MetadataValue.text(f"{trouble.title}: {trouble.place}"),
    }
    if below:
        metadata[BELOW] = dg.MetadataValue.text(", ".join(below))
    if remarks:
        metadata[REMARKS_IN_SHORT] = dg.MetadataValue.text(remarks)
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
