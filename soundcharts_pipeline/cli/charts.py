"""`soundcharts-pipeline charts`: the charts that are synced, and the catalog to choose from."""

import os
import re
from typing import Annotated

import typer
from rich.markup import escape

from soundcharts_pipeline.cli.console import counted, open_console, print_table
from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.config.read_charts import load_settings
from soundcharts_pipeline.config.settings import Settings, SettingsError
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.wording import program

# What is written for a country, and is the code of none.
ALSO_WRITTEN = {"UK": "GB"}


def _country(text: str) -> str:
    """Raises BadParameter for what is no code of a country: nothing would be found, for a dozen calls."""
    code = text.strip().upper()
    if code in ALSO_WRITTEN:
        raise typer.BadParameter(
            f"the code of '{brief(text)}' is {ALSO_WRITTEN[code]}; write --country {ALSO_WRITTEN[code]}"
        )
    if not re.fullmatch("[A-Z]{2}", code):
        raise typer.BadParameter(
            f"'{brief(text)}' is no code of a country; write its two letters, such as DE for Germany, or search for "
            "its name among the words"
        )
    return code


charts = typer.Typer(
    help="The charts that are synced (charts.yaml), and the catalog to choose from.",
    epilog="Example: soundcharts-pipeline charts search germany",
    no_args_is_help=True,
)


@charts.command("list", epilog="Example: soundcharts-pipeline charts list")
def charts_list() -> None:
    """The charts of charts.yaml. Makes no call."""
    environment = read_environment(os.environ)
    settings = load_settings(environment.charts_file, environment.clock)
    rows = [
        [c.slug, c.name, c.schedule, "yes" if c.active else "no", str(c.first_date), c.timezone]
        for c in settings.charts.values()
    ]
    print_table(open_console(), ["slug", "name", "schedule", "active", "since", "time zone"], rows)


@charts.command("search", epilog="Example: soundcharts-pipeline charts search germany --platform spotify")
def charts_search(
    words: Annotated[list[str] | None, typer.Argument(help="Words of the name, slug, country or city.")] = None,
    platform: Annotated[str | None, typer.Option(help="Ask this platform alone: cheaper.")] = None,
    country: Annotated[
        str | None, typer.Option(parser=_country, metavar="CODE", help="ISO code of a country, such as DE.")
    ] = None,
    saved: Annotated[bool, typer.Option("--saved", help="Search what is in the database: no call.")] = False,
) -> None:
    """Ask the live catalog. One call per 100 charts of the platforms asked."""
    from soundcharts_pipeline.sync.account import open_context
    from soundcharts_pipeline.sync.chart_search import search_charts, search_saved

    console = open_console()
    with open_context(_settings_if_any()) as ctx:
        found = (search_saved if saved else search_charts)(ctx, words or [], platform=platform, country=country)
        calls, remarks = ctx.client.usage.calls, ctx.client.remarks.drain()
    found.sort(key=lambda chart: (chart.platform, chart.slug))
    rows = [
        [
            c.slug,
            c.name,
            c.platform,
            c.country_code or "",
            c.frequency or "",
            str(c.max_results or ""),
            c.city_name or "",
        ]
        for c in found
    ]
    if rows:
        print_table(console, ["slug", "name", "platform", "country", "frequency", "places", "city"], rows)
    for remark in remarks:
        console.print(f"Soundcharts sent {remark}", soft_wrap=True, markup=False)
    hint = f"add one with `{program()} charts add SLUG`" if found else "try fewer words, or another platform or country"
    if saved and not found:
        hint = f"`{program()} catalog` saves every chart there is"
    console.print(f"{counted(len(found), 'chart')}, {counted(calls, 'call')}; {hint}", soft_wrap=True)


@charts.command("add", epilog="Example: soundcharts-pipeline charts add top-songs-29")
def charts_add(slug: Annotated[str, typer.Argument(help="As `charts search` prints it.")]) -> None:
    """Add a chart to charts.yaml, after checking that it exists (one call). Comments stay."""
    from soundcharts_pipeline.sync.account import open_context
    from soundcharts_pipeline.sync.chart_search import take_chart

    path = read_environment(os.environ).charts_file
    with open_context(_settings_if_any()) as ctx:
        chart = take_chart(ctx, path, slug)
    open_console().print(
        f"added {slug} ({escape(chart.name)}) to {escape(str(path))}; next: {program()} sync {slug}", soft_wrap=True
    )


@charts.command("remove", epilog="Example: soundcharts-pipeline charts remove top-songs-29")
def charts_remove(slug: Annotated[str, typer.Argument(help="A chart of charts.yaml.")]) -> None:
    """Remove a chart from charts.yaml. What was saved of it stays in the database."""
    from soundcharts_pipeline.config.edit_charts import remove_chart

    environment = read_environment(os.environ)
    path = environment.charts_file
    remove_chart(path, slug, environment.clock)
    open_console().print(
        f"removed {slug} from {escape(str(path))}; what was saved of it stays in the database", soft_wrap=True
    )


def _settings_if_any() -> Settings | None:
    """None for a charts file that does not load: one may search before there is one."""
    environment = read_environment(os.environ)
    try:
        return load_settings(environment.charts_file, environment.clock)
    except SettingsError:
        return None
