"""How a command ends: what failed, what to do about it, and the exit code."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.markup import escape

from soundcharts_pipeline.api.errors import AuthenticationError, BudgetSpent, QuotaExhausted, RateLimited
from soundcharts_pipeline.cli.console import open_console
from soundcharts_pipeline.config.settings import BadUse, SettingsError
from soundcharts_pipeline.sync.report import SyncIncomplete
from soundcharts_pipeline.troubleshooting import trouble_of
from soundcharts_pipeline.wording import PROGRAM, program

if TYPE_CHECKING:
    from soundcharts_pipeline.cli.run_in_process import Outcome

OK, FAILED, BAD_USE, CREDENTIALS, LIMITS, INTERRUPTED = 0, 1, 2, 3, 4, 130
# Commands that save as they go on; of the others nothing is left when they are interrupted.
SAVING = {
    *("sync", "backfill", "demo", "plan", "catalog", "archive", "restore-archive", "charts", "forget", "migrate"),
    "prune",
}
KEPT = "what was saved stays, and the same command goes on from there"
EXIT_CODES = {
    AuthenticationError.__name__: CREDENTIALS,
    QuotaExhausted.__name__: LIMITS,
    BudgetSpent.__name__: LIMITS,
    RateLimited.__name__: LIMITS,
    SettingsError.__name__: BAD_USE,
    BadUse.__name__: BAD_USE,
}


def code_of(error: Exception | None) -> int:
    """The exit code of what ended a command."""
    cause = error.cause if isinstance(error, SyncIncomplete) else error
    return EXIT_CODES.get(type(cause).__name__, FAILED)


def complain(what: str, text: str) -> None:
    """One message on standard error."""
    _say(f"[red]{what}:[/red] {escape(text)}")


def _say(text: str) -> None:
    try:
        open_console(stderr=True).print(text, soft_wrap=True)
    except OSError:
        # Where it cannot be said, the exit code says it. Python would try again at its end, and then end with 120.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


def advise(failures: Iterable[tuple[str, str]]) -> None:
    """What to do about failures, by their kind and its remedy ("": one for a command that concerns no chart), each
    once; of what was refused the message has said it."""
    for kind, remedy in dict.fromkeys(failures):
        if kind == BadUse.__name__:
            continue
        trouble = trouble_of(kind)
        words = (remedy or trouble.advice()).replace(f"`{PROGRAM} ", f"`{program()} ")
        _say(f"[bold]What to do:[/bold] {escape(words)} [dim]({trouble.place})[/dim]")


def leave_interrupted(number: int) -> NoReturn:
    """End a command that a signal has interrupted."""
    saving = sys.argv[1:2] and sys.argv[1] in SAVING
    complain("Interrupted", KEPT if saving else "nothing was changed")
    leave_at_once(128 + number)


def leave_at_once(code: int) -> NoReturn:
    """End a command that was told to. Python would first wait for the calls in flight, and answer a second Ctrl-C with
    a traceback."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def end(outcomes: "Sequence[Outcome]") -> None:
    """Say what failed, and exit with the code of the first error that has one. Raises typer.Exit."""
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
        _say(f"[yellow]Note:[/yellow] {escape(note)}")
    if failed:
        failures = [(failure.kind, failure.remedy) for outcome in failed for failure in outcome.failures]
        advise(failures)
        raise typer.Exit(next((EXIT_CODES[kind] for kind, _ in failures if kind in EXIT_CODES), FAILED))
