"""How a command ends: what failed, what to do about it, and the exit code."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from soundcharts_pipeline.api.errors import AuthenticationError, BudgetSpent, QuotaExhausted, RateLimited
from soundcharts_pipeline.settings import Refused, SettingsError
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.terminal import open_console, program
from soundcharts_pipeline.troubleshooting import trouble_of

if TYPE_CHECKING:
    from soundcharts_pipeline.launch import Outcome

OK, FAILED, BAD_USE, CREDENTIALS, LIMITS, INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = {
    AuthenticationError.__name__: CREDENTIALS,
    QuotaExhausted.__name__: LIMITS,
    BudgetSpent.__name__: LIMITS,
    RateLimited.__name__: LIMITS,
    SettingsError.__name__: BAD_USE,
    Refused.__name__: BAD_USE,
}


def code_of(error: Exception | None) -> int:
    """The exit code of what ended a command."""
    cause = error.cause if isinstance(error, SyncIncomplete) else error
    return EXIT_CODES.get(type(cause).__name__, FAILED)


def complain(what: str, text: str) -> None:
    """One message on standard error."""
    open_console(stderr=True).print(f"[red]{what}:[/red] {escape(text)}", soft_wrap=True)


def advise(kinds: Iterable[str]) -> None:
    """What to do about each kind of failure, once; of what was refused the message has said it."""
    for trouble in dict.fromkeys(trouble_of(kind) for kind in kinds if kind != Refused.__name__):
        text = f"{escape(trouble.remedy)} [dim]({trouble.place})[/dim]"
        open_console(stderr=True).print(f"[bold]What to do:[/bold] {text}", soft_wrap=True)


def end(outcomes: "Sequence[Outcome]") -> None:
    """Say what failed, and exit with the code of the first error that has one."""
    failed = [outcome for outcome in outcomes if not outcome.succeeded]
    for outcome in failed:
        steps_of = Counter(failure.cause for failure in outcome.failures if failure.cause)
        for failure in outcome.failures:
            # What stopped several steps is said once, below what remains of each.
            shared = steps_of[failure.cause] > 1
            complain(failure.asset, failure.message.partition(f": {failure.cause}")[0] if shared else failure.message)
        for cause in (cause for cause, steps in steps_of.items() if steps > 1):
            complain("Why", cause)
        if outcome.not_run:
            complain("Not run", f"{', '.join(outcome.not_run)}, below a step that failed")
        complain("Not complete", f"run {outcome.run_id}; `{program()} dev` shows it in the Dagster UI")
    for note in dict.fromkeys(note for outcome in outcomes for note in outcome.notes):
        open_console(stderr=True).print(f"[yellow]Note:[/yellow] {escape(note)}", soft_wrap=True)
    if failed:
        kinds = [failure.kind for outcome in failed for failure in outcome.failures]
        advise(kinds)
        raise typer.Exit(next((EXIT_CODES[kind] for kind in kinds if kind in EXIT_CODES), FAILED))
