"""`soundcharts-pipeline forget`: ask again for what was noted as absent."""

import os
from collections.abc import Collection
from contextlib import closing
from typing import Annotated

import typer

from soundcharts_pipeline.cli.chart_choice import chart_of
from soundcharts_pipeline.cli.console import counted, open_console, print_table
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings

EXAMPLE = "forget --endpoint artist_followers --platform tiktok --yes"


def forget(
    endpoint: Annotated[
        list[str] | None, typer.Option(help="Of this endpoint alone, by its name in docs/api.md; may be given again.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="Series of this platform alone.")] = None,
    chart: Annotated[str | None, typer.Option(metavar="SLUG", help="Tracks and artists of this chart alone.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Forget it; without, only what it would cost is told.")] = False,
) -> None:
    """Forget what Soundcharts was found not to have, so that the next runs ask again; the price comes first.

    What an outage or a smaller plan left behind is asked for again once, instead of after `metadata_refresh_days`.
    Makes no call itself.
    """
    from soundcharts_pipeline.storage.warehouse import Warehouse
    from soundcharts_pipeline.sync.forget import ENDPOINTS, forget, price

    known = [name for name, absences in ENDPOINTS.items() if not platform or (absences and not absences.metadata)]
    if unknown := [name for name in endpoint or () if name not in known]:
        of = f" with series of {platform}" if platform and unknown[0] in ENDPOINTS else ""
        raise typer.BadParameter(f"'{unknown[0]}' is no endpoint{of}; write one of {', '.join(known)}")
    environment, console = read_environment(os.environ), open_console()
    settings = load_settings(environment.charts_file, environment.clock) if chart or platform else None
    if chart and settings:
        chart = chart_of(settings, chart, environment.charts_file).slug
    names = list(endpoint or known)
    with closing(Warehouse(environment.database_url)) as warehouse:
        found = [one for one in price(warehouse, names, platform, chart) if one.noted]
        if platform and settings and not found:
            _check(platform, {*settings.track_platforms, *settings.artist_platforms})
        if yes:
            forget(warehouse, names, platform, chart)
    rows = [[one.endpoint, f"{one.noted:,}", f"{one.calls:,}"] for one in found]
    if rows:
        print_table(console, ["endpoint", "noted as absent", "calls to ask again"], rows)
    calls = counted(sum(one.calls for one in found), "call")
    if not found:
        console.print("nothing is noted as absent here", soft_wrap=True)
    elif yes:
        console.print(f"forgotten; the next runs of these charts make up to {calls} more", soft_wrap=True)
    else:
        console.print(f"nothing is forgotten yet; with --yes the next runs make up to {calls} more", soft_wrap=True)


def _check(platform: str, asked: Collection[str]) -> None:
    """Of a platform that nobody asks for any more there may be notes; of one that is mistyped there are none."""
    if platform not in asked:
        raise typer.BadParameter(f"no chart asks for '{platform}'; write one of {', '.join(sorted(asked))}")
