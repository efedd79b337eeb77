"""`soundcharts-pipeline init`: the files of a new project in a folder, for the command, `dagster` and `dg` alike."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from soundcharts_pipeline.cli.console import open_console
from soundcharts_pipeline.config.environment import PROJECT_FILES, working_folder
from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.wording import program

EXAMPLE = "init charts"
# `dg` looks for a module of the folder itself; `dagster` and our commands go by workspace.yaml.
FOR_DG = {
    "definitions.py": '''"""What `dg` loads from this folder."""

from soundcharts_pipeline.definitions import defs

__all__ = ["defs"]
''',
    "dg.toml": """directory_type = "project"

[project]
root_module = "definitions"
defs_module = "definitions"
code_location_target_module = "definitions"
code_location_name = "soundcharts_pipeline"
""",
}
NEXT = """\
Next, in that folder:
  {program} demo          three charts from a local simulator; no account is needed
  {program} dev           Dagster's UI, with schedules and sensors
To go live, name your charts in charts.yaml, set credentials and a new SOUNDCHARTS_DATA_DIR (.env.example), then:
  {program} doctor        what is still missing"""


def init(
    folder: Annotated[Path, typer.Argument(help="Where to; made when it is missing.", show_default="here")] = Path(),
    keep: Annotated[bool, typer.Option("--keep", help="Files that are there stay; write the others.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write charts.yaml and what else a new project needs into a folder.

    Without --force nothing that is there is replaced.
    """
    if keep and force:
        raise typer.BadParameter("give --keep or --force, not both")
    if not folder.is_absolute():
        working_folder()
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(PROJECT_FILES.iterdir())} | FOR_DG
    there = [name for name in files if (folder / name).exists() or (folder / name).is_symlink()]
    if there and not (keep or force):
        raise BadUse(
            f"{folder.absolute()} already has {', '.join(there)}; nothing was written. With --keep they stay and the "
            "others are written, with --force they are replaced and lose what was written into them"
        )
    written = {name: text for name, text in files.items() if force or name not in there}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadUse(f"{folder.absolute()} cannot be written ({error.strerror}); name another folder") from None
    console = open_console()
    console.print(f"{escape(str(folder.absolute()))}: {', '.join(written) or 'nothing new'}", soft_wrap=True)
    if kept := [name for name in there if name not in written]:
        console.print(f"Kept as they were: {', '.join(kept)}", soft_wrap=True)
    console.print(NEXT.format(program=program()), soft_wrap=True)
