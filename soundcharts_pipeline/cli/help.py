"""How `--help` lists commands: under headings, each with an example that one may copy."""

from collections.abc import Callable
from typing import Any, TypeVar

import typer

TRY, SYNC, RUN, USE, KEEP = "Try it", "Sync charts", "Run it", "Use the data", "Keep the database"

Function = TypeVar("Function", bound=Callable[..., Any])


def command(app: typer.Typer, heading: str, example: str) -> Callable[[Function], Function]:
    """Make a function a command, which the example's first word names."""
    name = example.split()[0]
    return app.command(name, rich_help_panel=heading, epilog=f"Example: soundcharts-pipeline {example}")
