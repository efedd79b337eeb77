"""Names that a spreadsheet program could take for something else than text, as the API might send them."""

from typing import Any

LONG = "Long " * 8_000
ODD_NAMES = (
    *(
        "=1+1",
        "+A1",
        "-2+3",
        "@SUM(A1)",
        '=HYPERLINK("http://example.test")',
        "\tTab",
        "\rReturn",
        "#N/A",
        "007",
        "1e5",
    ),
    *(
        "Bell \x07 and escape \x1b",
        "Half \ufffe",
        "Two\nlines",
        "🎧🔥 Fire",
        "مرحبا بالعالم",
        "日本語の曲",
        LONG,
        "R&B <b>&amp;",
        # A sheet writes characters so: these are names that only look like one.
        "_x0041_BC",
        "a_x000D_b",
    ),
)
WEB = "https://app.soundcharts.com/app/song/x/overview"
# As a workbook holds those that it cannot hold as they are. openpyxl reads the escape of an underscore as it stands in
# the file; spreadsheet programs show the name.
SHOWN = {
    "_x0041_BC": "_x005F_x0041_BC",
    "a_x000D_b": "a_x005F_x000D_b",
    "\rReturn": "\nReturn",
    "Bell \x07 and escape \x1b": "Bell  and escape ",
    "Half \ufffe": "Half ",
    LONG: LONG[: 32_767 - len(" [cut]")] + " [cut]",
}


def oddly_named(_path: str, status: int, body: Any) -> tuple[int, Any]:
    """A true answer whose tracks and artists have such names; every second of them leads to no page of the web."""
    return status, _renamed(body)


def name_of(uuid: str) -> str:
    return ODD_NAMES[int(uuid[:8], 16) % len(ODD_NAMES)]


def shown_name_of(uuid: str) -> str:
    name = name_of(uuid)
    return SHOWN.get(name, name)


def has_link(uuid: str) -> bool:
    return int(uuid[:8], 16) % 2 == 0


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _renamed(item) for key, item in value.items()}
    if {"uuid", "name"} <= changed.keys():
        changed["name"] = name_of(changed["uuid"])
        if "appUrl" in changed:
            changed["appUrl"] = WEB if has_link(changed["uuid"]) else "javascript:alert(1)"
    return changed
