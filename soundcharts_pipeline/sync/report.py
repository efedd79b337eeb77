"""What a sync did, and how it ends when something is left to do."""

from dataclasses import dataclass, field

from soundcharts_pipeline.api.errors import UnexpectedPayload
from soundcharts_pipeline.errors import PipelineError


@dataclass(slots=True)
class SyncReport:
    """Counts of one sync function. `asked` are questions, `calls` what they cost, `rows` what was saved.

    `left_out`: why nothing was asked, by scope (`storage.endpoint_states`)."""

    asked: int = 0
    calls: int = 0
    rows: int = 0
    not_found: int = 0
    not_in_plan: int = 0
    remaining: int = 0
    quota_remaining: int | None = None
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing was asked, and no row changed."""
        return not (self.asked or self.calls or self.rows)

    def __str__(self) -> str:
        """As a line of a log."""
        counts = {"not found": self.not_found, "not in the plan": self.not_in_plan, "still to do": self.remaining}
        rest = "".join(f", {what}: {count:,}" for what, count in counts.items() if count)
        return f"asked: {self.asked:,}, calls: {self.calls:,}, rows saved: {self.rows:,}{rest}"


class SyncIncomplete(PipelineError):
    """Part of the worklist is still to do. `cause` is the first error that says why."""

    def __init__(self, message: str, *, cause: BaseException, report: SyncReport) -> None:
        super().__init__(message)
        self.cause = cause
        self.report = report


def unreadable(subject: str, error: Exception) -> UnexpectedPayload:
    """The answer about a subject broke what read or saved it."""
    failure = UnexpectedPayload(
        f"{subject}: the answer is none that this program foresees ({type(error).__name__}: {str(error)[:200]}); "
        "nothing of it was saved, please report it"
    )
    failure.__cause__ = error
    return failure


def still_to_do(noun: str, cause: BaseException, report: SyncReport) -> SyncIncomplete:
    """The end of a sync that could not answer all it asked."""
    return SyncIncomplete(
        f"{report.remaining} of {report.asked} {noun} are still to do: {cause}. "
        "What was answered is saved; run it again to ask for the rest alone.",
        cause=cause,
        report=report,
    )
