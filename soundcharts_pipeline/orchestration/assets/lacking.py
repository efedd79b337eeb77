"""Days of a range that a step could not work on: the step fails for them alone, when the others are done."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from soundcharts_pipeline.models import ChartDays
from soundcharts_pipeline.orchestration.failures import REMEDY, failure_of
from soundcharts_pipeline.orchestration.partitions import spans_over
from soundcharts_pipeline.remedies import Subject
from soundcharts_pipeline.sync.preconditions import MOST_STRETCHES, UpstreamMissing
from soundcharts_pipeline.troubleshooting import trouble_of


@dataclass(frozen=True, slots=True)
class Lack:
    """Why some days of a chart cannot be worked on; `published` are those on which the chart has a ranking."""

    reason: UpstreamMissing
    slug: str
    published: Collection[date]


def failure_of_lacking(
    lacks: Sequence[Lack], asset: str, *, below: Sequence[str], remarks: str, others_done: bool
) -> dg.Failure:
    """The failure that names every day that lacks something, and what to do about these days: the others are done."""
    message = "; ".join(str(lack.reason) for lack in lacks)
    if others_done:
        message += ". The other days of this run are done"
    kind, days = type(lacks[0].reason), [day for lack in lacks for day in lack.reason.days]
    failure = failure_of(kind(message, days), below=below, remarks=remarks)
    metadata = {**failure.metadata, REMEDY: dg.MetadataValue.text(" ".join(_remedies(lacks, asset)))}
    return dg.Failure(failure.description, metadata, allow_retries=failure.allow_retries)


def _remedies(lacks: Sequence[Lack], asset: str) -> list[str]:
    """What to do, once for each chart and kind of lack."""
    days: dict[tuple[type[UpstreamMissing], str], set[date]] = {}
    for lack in lacks:
        days.setdefault((type(lack.reason), lack.slug), set()).update(lack.reason.days)
    published = {lack.slug: lack.published for lack in lacks}
    found = []
    for (kind, slug), of_kind in days.items():
        first, *more = _subjects(spans_over(slug, of_kind, published[slug]), asset)
        remedy = trouble_of(kind.__name__).advice(first)
        if more:
            # All of it for each stretch would be the same sentence many times over.
            remedy += f" Likewise with {', '.join(f'`{_options(subject)}`' for subject in more)}."
        found.append(remedy)
    return found


def _subjects(stretches: Sequence[ChartDays], asset: str) -> list[Subject]:
    if len(stretches) > MOST_STRETCHES:
        stretches = [ChartDays(stretches[0].slug, stretches[0].first, stretches[-1].last)]
    return [Subject(one.slug, one.first, one.last, asset) for one in stretches]


def _options(subject: Subject) -> str:
    """The days of a subject as a command takes them."""
    return subject.words[" --date DAY"].strip()
