# ruff: noqa: RUF001  (letters of many alphabets, which look alike)
"""Names are found by what people type: without case and accents, however their letters are written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundcharts_pipeline.models import Artist, Chart
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline.storage.queries.chart_runs import find_artists
from soundcharts_pipeline.storage.saves import save_artists, save_charts
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.chart_search import search_saved
from soundcharts_pipeline.sync.planning.credit_names import artists_named, plain
from soundcharts_pipeline.wording import folded, nearest
from soundcharts_pipeline_tests.storage.ranked import NOW
from soundcharts_pipeline_tests.support.helpers import new_context

# A name as it is stored, and what finds it.
SEARCHES = {
    "Beyonce\u0301": ["Beyoncé", "beyoncé", "BEYONCÉ", "beyonce", "BEYONCE", "Beyonce\u0301", "yoncé"],
    "Sigur Rós": ["sigur ros", "SIGUR RÓS", "  sigur   rós ", "Ro\u0301s"],
    "İstanbul": ["istanbul", "ISTANBUL", "İSTANBUL", "i\u0307stanbul"],
    "Mor ve Ötesi Işık": ["isik", "IŞIK", "ışık", "otesi"],
    "Straße": ["strasse", "STRASSE", "straße", "STRAẞE"],
    "Ærø og Łódź": ["aero", "ÆRØ", "lodz", "łódź"],
    "ΜΑΡΙΖΑ ΚΏΧ": ["μαρίζα κωχ", "Μαριζα Κώχ"],
    "ДДТ Ёлка": ["ддт", "елка", "ёлка"],
    "ＡＫＢ４８": ["akb48", "ＡＫＢ４８"],
    "ガガガSP": ["ｶﾞｶﾞｶﾞ", "ガガガsp"],
    "P!nk 100%": ["p!nk", "100%"],
    "한국": ["한국", "\u1112\u1161\u11ab국"],
}


@pytest.fixture
def named(warehouse: Warehouse) -> Warehouse:
    with warehouse.write() as conn:
        made = [Artist(uuid=str(number), name=name) for number, name in enumerate(SEARCHES)]
        save_artists(conn, made, genres=False, now=NOW)
    return warehouse


def test_a_search_finds_a_name_by_every_way_to_write_it(named: Warehouse) -> None:
    with named.read() as conn:
        for name, searches in SEARCHES.items():
            for text in searches:
                assert [unicodedata.normalize("NFC", hit.name) for hit in find_artists(conn, text)] == [
                    unicodedata.normalize("NFC", name)
                ], text
        for text in ("beyonze", "_", "%", "sigurros", "\u0301"):
            assert find_artists(conn, text) == [] or text == "%", text


def test_the_catalog_is_searched_alike(simulator: Simulator, sqlite_warehouse: Warehouse) -> None:
    with sqlite_warehouse.write() as conn:
        save_charts(
            conn,
            [
                Chart(slug=f"chart-{number}", name=name, platform="spotify", city_name=name)
                for number, name in enumerate(SEARCHES)
            ],
        )
    ctx = new_context(simulator, sqlite_warehouse)
    for name, searches in SEARCHES.items():
        for text in searches:
            found = search_saved(ctx, text.split(), platform=None, country=None)
            assert [chart.name for chart in found] == [name], text


def test_credits_and_misspelt_words_are_compared_alike() -> None:
    assert plain("Beyonce\u0301") == plain("BEYONCÉ")
    assert artists_named("İstanbul & Sigur Rós", {plain("Istanbul & sigur ros")}) == ["istanbul & sigur ros"]
    assert nearest("sao-paulo-9", ["berlin-9", "São-Paulo-9"]) == "São-Paulo-9"
    assert nearest("GLOBAL-28", ["global-29", "global-28"]) == "global-28"


@given(st.text())
def test_folding_is_done_after_once_and_does_not_see_case_or_composition(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    for form in ("NFC", "NFD"):
        assert folded(unicodedata.normalize(form, text)) == folded(text)


@given(st.text(st.characters(max_codepoint=0x24F)))
def test_capital_letters_of_europe_are_found(text: str) -> None:
    assert folded(text.upper()) == folded(text)
