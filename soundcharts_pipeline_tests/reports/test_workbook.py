"""The workbook of a chart-day whose names are formulas, codes and what no sheet can hold, read back by openpyxl."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from sqlalchemy import func, select

from soundcharts_pipeline.reports.workbook.lines import LINES
from soundcharts_pipeline.reports.workbook.read_back import read_back
from soundcharts_pipeline.reports.workbook.report import rows_of_same
from soundcharts_pipeline.reports.workbook.workbook import write_workbook
from soundcharts_pipeline.storage.queries.chart_day import ChartDay
from soundcharts_pipeline.storage.queries.lines import audience_lines, rank_lines
from soundcharts_pipeline.storage.queries.rankings import moves_of
from soundcharts_pipeline.storage.tables import schema as s
from soundcharts_pipeline_tests.reports.conftest import HISTORY_DAYS, NAME, Made
from soundcharts_pipeline_tests.reports.odd_names import WEB, has_link, shown_name_of

SHEETS = ["Summary", "Ranking", "Tracks", "Artists", "Audience", "Trends", "Notes", "Chart data"]


@pytest.fixture(scope="module")
def book(made: Made) -> Any:
    return load_workbook(made.path)


def columns_of(sheet: Any) -> dict[str, list[Any]]:
    """Cells below each heading."""
    return {str(cells[0].value): list(cells[1:]) for cells in sheet.iter_cols()}


def values(cells: Sequence[Any]) -> list[Any]:
    return [cell.value for cell in cells]


def test_sheets_hold_the_rows_of_their_queries(made: Made, book: Any) -> None:
    assert book.sheetnames == SHEETS
    with made.warehouse.read() as conn:
        ranked = conn.execute(
            select(s.chart_rankings.c.position, s.chart_rankings.c.track_uuid)
            .where(s.chart_rankings.c.rank_date == made.day)
            .order_by(s.chart_rankings.c.position, s.chart_rankings.c.track_uuid)
        ).all()
        artists = select(s.track_artists.c.artist_uuid).where(
            s.track_artists.c.track_uuid.in_([uuid for _, uuid in ranked])
        )
        of_artists = conn.scalar(select(func.count()).select_from(artists.distinct().subquery()))
        trends = conn.scalar(select(func.count()).select_from(s.audience_trends))
        moves = moves_of(conn, made.report.of.slug, made.day)
    ranking = columns_of(book["Ranking"])
    assert values(ranking["Position"]) == [position for position, _ in ranked]
    assert values(ranking["Track UUID"]) == [uuid for _, uuid in ranked]
    moved = zip(*(values(ranking[name]) for name in ("State", "Previous", "Movement")), strict=True)
    assert list(moved) == [moves[spot.position, spot.track_uuid] for spot in ranked]
    assert made.rows["Artists"] == of_artists
    assert made.rows["Trends"] == trends
    assert {name: book[name].max_row - 1 for name in SHEETS[1:]} == made.rows


def test_no_text_of_the_api_becomes_a_formula_and_each_is_there(book: Any) -> None:
    for sheet in book.worksheets:
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    for name, heading, uuid in (
        *(("Ranking", "Track", "Track UUID"), ("Tracks", "Track", "Track UUID")),
        *(("Artists", "Artist", "Artist UUID"), ("Audience", "Name", "UUID")),
    ):
        columns = columns_of(book[name])
        assert values(columns[heading]) == [shown_name_of(cell.value) for cell in columns[uuid]], name
    assert book["Summary"]["A1"].value == NAME


def test_only_pages_of_the_web_are_linked(book: Any) -> None:
    ranking = columns_of(book["Ranking"])
    links = [cell.hyperlink and cell.hyperlink.target for cell in ranking["Track"]]
    assert links == [WEB if has_link(cell.value) else None for cell in ranking["Track UUID"]]
    assert {WEB, None} == set(links)


def test_days_are_days_and_values_are_the_stored_ones(made: Made, book: Any) -> None:
    sheet = book["Audience"]
    days = [cell for cell in sheet[1] if isinstance(cell.value, datetime)]
    assert [cell.value.date() for cell in days] == list(made.report.of.days[::-1])
    columns = {str(cell.value): cell.column - 1 for cell in sheet[1] if cell not in days}
    found: dict[tuple[str, ...], dict[date, int]] = {}
    for row in sheet.iter_rows(min_row=2, values_only=True):
        key = tuple(str(row[columns[name]] or "") for name in ("UUID", "Platform", "Metric", "Identifier"))
        found[key] = {cell.value.date(): row[cell.column - 1] for cell in days if row[cell.column - 1] is not None}
    first, last = made.report.of.days[0], made.day
    t, a = s.track_audience.c, s.artist_audience.c
    stored: dict[tuple[str, ...], dict[date, int]] = {}
    with made.warehouse.read() as conn:
        tracks = select(t.track_uuid, t.platform, t.metric, t.identifier, t.date, t.value)
        artists = select(a.artist_uuid, a.platform, a.metric, func.coalesce(None, ""), a.date, a.value)
        uuids = {row.uuid for row in (*made.report.of.tracks, *made.report.of.artists)}
        for query, day in ((tracks, t.date), (artists, a.date)):
            for *of, at, value in conn.execute(query.where(day.between(first, last))):
                if of[0] in uuids:
                    stored.setdefault(tuple(of), {})[at] = value
    assert found == stored


def test_every_sheet_is_set_up_to_be_read_and_printed(book: Any) -> None:
    for sheet in book.worksheets:
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        # One page is what the format takes where no number stands.
        assert sheet.page_setup.fitToWidth in (None, 1)
        assert sheet.page_setup.fitToHeight in ([None, 1] if sheet.title == "Summary" else [0])
        assert sheet.oddHeader.left.text is not None
        assert NAME.replace("&", "&&") in sheet.oddHeader.left.text
    for name in SHEETS[1:]:
        sheet = book[name]
        assert sheet.freeze_panes is not None
        assert sheet.freeze_panes.endswith("2")
        assert sheet.auto_filter.ref == sheet.dimensions
        assert sheet.print_title_rows == "$1:$1"
        for cell in sheet[1]:
            assert 6 <= sheet.column_dimensions[cell.column_letter].width <= 122
    ranking = book["Ranking"]
    assert {rule.type for rules in ranking.conditional_formatting for rule in rules.rules} == {"cellIs"}
    assert columns_of(ranking)["Released"][0].number_format == "yyyy-mm-dd"
    assert columns_of(ranking)["Position"][0].number_format == "#,##0"
    assert book.properties.title == f"{NAME}, {columns_of(book['Chart data'])['Day'][-1].value.date()}"


def test_the_first_page_has_four_charts_of_cells_that_are_there(made: Made, book: Any) -> None:
    with ZipFile(made.path) as file:
        charts = [file.read(name).decode() for name in file.namelist() if name.startswith("xl/charts/chart")]
    assert len(charts) == 4
    titles = ["top 10", "tracks: spotify streams a day", "spotify monthly listeners", "Biggest climbs and falls"]
    assert all(sum(title in chart for chart in charts) == 1 for title in titles)
    data = columns_of(book["Chart data"])
    with made.warehouse.read() as conn:
        race = rank_lines(conn, made.report.of.slug, made.day, first=made.report.of.days[0])
        of_tracks = audience_lines(conn, made.report.of.slug, made.day, "track", platform="spotify", days=HISTORY_DAYS)
    drawn = [dict(points) for lines in (race, of_tracks.named(of_tracks.series[0], LINES)) for _, points in lines]
    days = [cell.value.date() for cell in data["Day"]]
    sheet = book["Chart data"]
    for column, by_day in enumerate(drawn, start=2):
        shown = [cell.value for cell in sheet[get_column_letter(column)][1:]]
        assert shown == [by_day.get(day) for day in days], column
    assert len(race) == 10


def test_the_notes_say_what_is_missing(made: Made, book: Any) -> None:
    notes = [(about, subject, note) for about, subject, note in book["Notes"].iter_rows(min_row=2, values_only=True)]
    missing = {subject: note for about, subject, note in notes if about == "Missing"}
    assert "youtube is not in track_audience_platforms" in str(missing["track_audience/youtube"])
    of = made.report.of
    for series in {(one.entity, one.platform, one.metric) for one in of.series}:
        entity, platform, metric = series
        owners = of.tracks if entity == "track" else of.artists
        known = {one.uuid for one in of.series if (one.entity, one.platform, one.metric) == series}
        subject = f"{platform}: {metric} of {entity}s"
        without = len([row for row in owners if row.uuid not in known])
        assert (subject in missing) == (without > 0), subject
        if without:
            assert f"None for {without} of {len(owners)} {entity}s" in str(missing[subject])
    history = next(str(note) for _, subject, note in notes if subject == "Chart history")
    assert "stored for 3 of the 14 days" in history


def test_reading_back_finds_a_formula_and_counts_rows(made: Made) -> None:
    found = read_back(made.path)
    assert ({name: found.rows[name] for name in made.rows}, found.formulas) == (made.rows, [])
    book: Any = load_workbook(made.path)
    book["Ranking"]["D2"] = "=1+1"
    book["Tracks"].delete_rows(2)
    changed = made.path.with_name("changed.xlsx")
    book.save(changed)
    again = read_back(changed)
    assert again.formulas == ["Ranking!D2"]
    assert again.rows["Tracks"] == made.rows["Tracks"] - 1


def test_the_same_facts_written_again_replace_the_file_and_leave_nothing_else(made: Made) -> None:
    before = made.path.stat().st_ino
    assert write_workbook(made.path, made.report) == made.rows
    assert made.path.stat().st_ino != before
    assert [path.name for path in made.path.parent.iterdir() if path.name.startswith(made.path.stem)] == [
        made.path.name
    ]
    assert not list(made.path.parent.glob(".*"))


def test_equal_reports_are_equal_files(made: Made, tmp_path: Path) -> None:
    for name in ("one.xlsx", "other.xlsx"):
        write_workbook(tmp_path / name, made.report)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "other.xlsx").read_bytes()


def test_a_file_is_known_until_somebody_saves_it_or_something_else_is_to_be_shown(made: Made, tmp_path: Path) -> None:
    assert rows_of_same(made.path, made.report) == made.rows
    assert rows_of_same(made.path, replace(made.report, made=made.report.made + timedelta(days=1))) == made.rows
    assert rows_of_same(made.path, replace(made.report, name="Another")) is None
    load_workbook(made.path).save(tmp_path / "saved.xlsx")
    assert rows_of_same(tmp_path / "saved.xlsx", made.report) is None
    assert rows_of_same(tmp_path / "none.xlsx", made.report) is None


@pytest.mark.parametrize(
    "spoil", [lambda whole: b"x" + whole, lambda whole: whole + bytes(100), lambda whole: whole[:-1]]
)
def test_a_file_with_something_around_it_is_not_known(
    made: Made, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "spoilt.xlsx").write_bytes(spoil(made.path.read_bytes()))
    assert rows_of_same(tmp_path / "spoilt.xlsx", made.report) is None


@pytest.mark.parametrize("part", [field.name for field in fields(ChartDay)])
def test_every_part_of_a_chart_day_counts(made: Made, part: str) -> None:
    changed: dict[str, Any] = {part: ["another"]}
    other = replace(made.report, of=replace(made.report.of, **changed))
    assert other.digest != made.report.digest


def test_a_file_of_the_first_version_is_not_known(made: Made, tmp_path: Path) -> None:
    book = Workbook()
    book.properties.identifier = json.dumps({"digest": made.report.digest, "rows": made.rows})
    book.save(tmp_path / "old.xlsx")
    assert rows_of_same(tmp_path / "old.xlsx", made.report) is None
