"""The workbook in another program: LibreOffice opens it, prints it and saves it again with everything in place."""

import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook

from soundcharts_pipeline.reports.workbook import read_back
from soundcharts_pipeline_tests.reports.conftest import NAME, Made

# For a program that hangs; no promise.
LONGEST_SECONDS = 300


@pytest.fixture(scope="module")
def printed(made: Made, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The text of each page."""
    path = converted(made.path, "pdf", tmp_path_factory.mktemp("printed"))
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return done.stdout.split("\f")[:-1]


def converted(path: Path, kind: str, folder: Path) -> Path:
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    done = subprocess.run(
        ["soffice", "--headless", profile, "--convert-to", kind, "--outdir", folder, path],
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stdout + done.stderr
    return folder / f"{path.stem}.{kind}"


def test_every_sheet_is_printed_with_its_heading_on_every_page(made: Made, printed: list[str]) -> None:
    assert 8 <= len(printed) <= 20
    for number, page in enumerate(printed, start=1):
        lines = [line.strip() for line in page.splitlines() if line.strip()]
        assert lines[0].startswith(f"{NAME}, {made.day}")
        assert lines[-1].endswith(f"Page {number} of {len(printed)}")
    by_sheet = {page.split("\n")[0].split()[-1]: page for page in printed if page.strip()}
    assert by_sheet.keys() >= {"Summary", "Ranking", "Tracks", "Artists", "Audience", "Trends", "Notes"}
    audience = [page for page in printed if page.split("\n")[0].endswith("Audience")]
    assert len(audience) > 1
    assert all("Platform" in page and "Newest day" in page for page in audience)


def test_key_cells_read_as_a_person_expects_them(made: Made, printed: list[str]) -> None:
    summary = printed[0]
    of = made.report.of
    assert NAME in summary
    assert f"Ranking of {of.day}" in summary
    assert "Biggest climbs and falls" in summary
    assert "Positions of today's top 10" in summary
    ranking = next(page for page in printed if page.split("\n")[0].endswith("Ranking"))
    assert f"{of.ranking[0].metric:,}" in ranking
    assert str(of.ranking[0].release_date) in ranking
    for text in ("=1+1", "+A1", "@SUM(A1)", "#N/A", "007", "1e5"):
        assert text in "".join(printed), text
    assert "###" not in "".join(printed)
    assert "#NAME?" not in "".join(printed)


def test_another_program_saves_what_we_wrote(made: Made, tmp_path: Path) -> None:
    path = converted(made.path, "xlsx", tmp_path)
    again = read_back(path)
    assert again.formulas == []
    assert {name: again.rows[name] for name in made.rows} == made.rows
    ours, theirs = (load_workbook(one, read_only=True)["Ranking"] for one in (made.path, path))
    for mine, its in zip(ours.iter_rows(values_only=True), theirs.iter_rows(values_only=True), strict=True):
        assert its[: len(mine)] == mine
    with ZipFile(path) as file:
        assert sum(name.startswith("xl/charts/chart") for name in file.namelist()) == 4
