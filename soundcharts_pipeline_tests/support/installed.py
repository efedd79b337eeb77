"""The built wheel in an environment of its own, as somebody has it who knows no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from soundcharts_pipeline_tests.support.command_line import LONGEST_RUN_SECONDS, UMASK, Done

CHECKOUT = Path(__file__).parents[2]
# What a wheel is built of.
SOURCES = ["pyproject.toml", "README.md", "LICENSE", "soundcharts_pipeline"]
PROJECT_FILES = [".env.example", "charts.yaml", "dagster.yaml", "workspace.yaml"]
# Programs of libraries, which start the installed Python instead of the tests' own.
PROGRAMS = ["create-dagster", "dagster", "dg"]


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment with the wheel."""

    home: Path

    @property
    def packages(self) -> Path:
        """Where its Python finds packages."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.home)}))

    def run(self, folder: Path, environ: Mapping[str, str], program: str, *arguments: str) -> Done:
        """A program to its end, in the folder."""
        done = subprocess.run(
            [self.home / "bin" / program, *arguments],
            cwd=folder,
            env=self.environ(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN_SECONDS,
            umask=UMASK,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables of a shell in which it is activated, with a home of its own for what libraries keep there."""
        return {
            **environ,
            "VIRTUAL_ENV": str(self.home),
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}{os.pathsep}{environ['PATH']}",
            # Nobody is asked whether there is a newer version.
            "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        }


def install(folder: Path) -> Installed:
    """Build the wheel and install it; libraries are those of the tests, which takes seconds instead of minutes."""
    source = folder / "source"
    source.mkdir()
    for name in [*SOURCES, *PROJECT_FILES]:
        path = CHECKOUT / name
        if path.is_dir():
            shutil.copytree(path, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _succeed([*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, source])
    installed = Installed(folder / "installed")
    venv.create(installed.home, symlinks=True)
    # A folder on the path, and not a place of packages: the checkout, which the tests have installed, is not found.
    (installed.packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    (wheel,) = folder.glob("*.whl")
    python = installed.home / "bin" / "python"
    _succeed([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel])
    for program in entry_points(group="console_scripts"):
        if program.name in PROGRAMS:
            script = installed.home / "bin" / program.name
            script.write_text(
                f"#!{python}\nfrom {program.module} import {program.attr}\n"
                f"if __name__ == '__main__':\n    {program.attr}()\n"
            )
            script.chmod(0o755)
    return installed


def _succeed(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
