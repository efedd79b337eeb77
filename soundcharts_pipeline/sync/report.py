"""What a sync did, and how it ends when something is left to do."""

from dataclasses import dataclass

from soundcharts_pipeline.api.errors import SoundchartsError


@dataclass(slots=True)
class SyncReport:
    """Counts of one sync function. `asked` are questions, `calls` what they cost, `rows` what was saved."""

    asked: int = 0
    calls: int = 0
    rows: int = 0
    not_found: int = 0
    not_in_plan: int = 0
    remaining: int = 0
    quota_remaining: int | None = None


class SyncIncomplete(Exception):
    """Part of the worklist is still to do. `cause` is the first error that says why."""

    def __init__(self, message: str, *, cause: SoundchartsError, report: SyncReport) -> None:
        super().__init__(message)
        self.cause = cause
        self.report = report
