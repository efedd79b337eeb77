"""The workbook in another program: LibreOffice opens it, prints it and saves it again with everything in place."""

import csv
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from sqlalchemy import String

from soundcharts_pipeline.reports.export.xlsx import write_xlsx
from soundcharts_pipeline.reports.workbook.read_back import read_back
from soundcharts_pipeline.reports.workbook.report import rows_of_same
from soundcharts_pipeline.reports.workbook.sheets import Column, Sheet, add_sheet, new_workbook
from soundcharts_pipeline_tests.reports.conftest import NAME, Made

# What looks like a character's code in a sheet, and what only nearly does.
LIKE_CODES = [
    *("_x0041_BC", "_x005F_x0041_BC", "_x005f_x0041_", "_x005F_", "_x0041_x0042_", "a_x0009_b"),
    *("_xD83D_", "__x0041__", "_x0041", "_x004g_", "_X0041_", "x0041_", "_x00041_"),
]
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
        # openpyxl decodes the escape of an underscore in a file of LibreOffice's and not in ours.
        assert its[: len(mine)] == tuple(unescape(cell) if isinstance(cell, str) else cell for cell in mine)
    assert rows_of_same(path, made.report) is None
    with ZipFile(path) as file:
        assert sum(name.startswith("xl/charts/chart") for name in file.namelist()) == 4


def test_both_writers_show_a_text_that_looks_like_the_code_of_a_character(tmp_path: Path) -> None:
    bulk, styled = tmp_path / "bulk.xlsx", tmp_path / "styled.xlsx"
    write_xlsx(bulk, {"_x0041_": String()}, [[(name,) for name in LIKE_CODES]], count=len(LIKE_CODES))
    sheet_of_codes = Sheet(name="Data", columns=[Column("_x0041_")], rows=[(name,) for name in LIKE_CODES])
    with new_workbook(styled) as workbook:
        add_sheet(workbook, sheet_of_codes, about="_x0041_ & Co")
    held = []
    for path in (bulk, styled):
        sheet = load_workbook(path)["Data"]
        held.append([cell for (cell,) in sheet.iter_rows(values_only=True)])
        # As the format's own rule decodes it, and as another program shows it.
        assert [unescape(str(cell)) for cell in held[-1]] == ["_x0041_", *LIKE_CODES]
        with converted(path, "csv", tmp_path).open(encoding="utf-8", newline="") as file:
            assert [cell for (cell,) in csv.reader(file)] == ["_x0041_", *LIKE_CODES]
    assert held[0] == held[1]
    header: Any = load_workbook(styled)["Data"].oddHeader
    assert header.left.text == "_x0041_ && Co"
