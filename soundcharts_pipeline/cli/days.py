"""Days among the options of a command."""

from datetime import date

import typer

from soundcharts_pipeline.wording import day_named


def as_day(text: str) -> date:
    """Raises BadParameter for what is no day."""
    try:
        return day_named(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no day; write it like 2026-11-20") from None


def day_option(name: str, text: str) -> object:
    """An option that takes a day, with its line of help."""
    return typer.Option(name, parser=as_day, metavar="YYYY-MM-DD", help=text)


def check_range(day: date | None, first: date | None, last: date | None) -> None:
    """Raises BadParameter for a day and a range, for half of a range, and for one that ends before it begins."""
    if day and (first or last):
        raise typer.BadParameter("give --date, or --from and --to, not both")
    if bool(first) != bool(last):
        raise typer.BadParameter("give both --from and --to, or --date for one day")
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
