"""Where one artist's name ends in a credit name and the next begins."""

import pytest

from soundcharts_pipeline.sync.planning.credit_names import artists_named, plain, unnamed_share

KNOWN = {plain(name) for name in ("Earth, Wind & Fire", "Tyler, The Creator", "Simon & Garfunkel", "Wind")}


@pytest.mark.parametrize(
    ("credit_name", "names"),
    [
        ("Billie Eilish", ["billie eilish"]),
        ("Lady Gaga & Bruno Mars", ["lady gaga", "bruno mars"]),
        ("A feat. B, C", ["a", "b", "c"]),
        ("A (ft. B)", ["a", "b"]),
        ("A x B with C and D", ["a", "b", "c", "d"]),
        ("A FEATURING B; C", ["a", "b", "c"]),
        ("A feat. A", ["a"]),
        ("Tyler, The Creator", ["tyler, the creator"]),
        ("Earth, Wind & Fire feat. Simon & Garfunkel", ["earth, wind & fire", "simon & garfunkel"]),
        ("Someone, Earth, Wind & Fire & Other", ["someone", "earth, wind & fire", "other"]),
        ("AC/DC", ["ac/dc"]),
        ("Xavier Anderson", ["xavier anderson"]),
        ("", []),
    ],
)
def test_names_are_parted_where_credits_part_them(credit_name: str, names: list[str]) -> None:
    assert artists_named(credit_name, KNOWN) == names


def test_the_share_of_artists_without_a_name_is_measured() -> None:
    credited = [("A feat. B", "A", "1"), ("A feat. B", "B", "2"), ("A feat. B", "C", "3")] * 2
    many = [("A", "A", f"n{number}") for number in range(950)] + [("A", "Z", f"u{number}") for number in range(99)]

    assert unnamed_share([]) == 1 / 50
    assert unnamed_share(credited) == 2 / 52
    assert unnamed_share(many) == pytest.approx(0.1)


def test_an_artist_who_is_named_once_is_named() -> None:
    assert unnamed_share([("A", "B", "2"), ("B", "B", "2")]) == 1 / 51
