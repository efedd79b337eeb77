"""What all pictures share: sizes, colours, words; and a canvas for those that are drawn by hand."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal
from xml.sax.saxutils import escape

# In pixels. The narrow one is for phones: scaled down, the text of the wide one could not be read there.
WIDE, NARROW = 640, 360
MARGIN = 6
LONGEST_NAME = 50
# Distinct for the colour-blind (after Okabe and Ito), and at least 3:1 on white as on near-black.
COLOURS = ("#2f81f7", "#d55e00", "#009e73", "#b565c4", "#a87900", "#2492b5", "#cf5b83", "#808890")
BLUE, FALL, RISE = COLOURS[:3]
STYLE = (
    "svg{color:#424a53}@media(prefers-color-scheme:dark){svg{color:#b1bac4}}"
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
)
# Of what is drawn by hand; text in colours that are read, not only seen, is darker on white than the colours of lines.
DRAWN_STYLE = (
    f"{STYLE}text{{fill:currentColor}}.soft{{fill-opacity:.78}}.bold{{font-weight:600}}.rise{{fill:#007a59}}"
    ".fall{fill:#b34700}@media(prefers-color-scheme:dark){.rise{fill:#35c79b}.fall{fill:#ff8a3d}}"
)
MINUS = "−"  # noqa: RUF001  # as wide as a plus
UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
# What XML cannot hold, and what turns the direction of the text that follows.
_NOT_SHOWN = re.compile(r"[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]|[\u202A-\u202E\u2066-\u2069]")
_PLATFORMS = {"youtube": "YouTube", "tiktok": "TikTok", "soundcloud": "SoundCloud", "lastfm": "Last.fm", "awa": "AWA"}

Anchor = Literal["start", "middle", "end"]


def platform_name(code: str) -> str:
    """As people write it."""
    return _PLATFORMS.get(code, code.replace("-", " ").title())


def plain_text(text: str) -> str:
    """One line without anything that XML cannot hold or that reaches beyond the text."""
    return " ".join(_NOT_SHOWN.sub(" ", text).split())


def brief(name: str) -> str:
    """A name as a sentence has room for."""
    plain = plain_text(name)
    return plain if len(plain) <= LONGEST_NAME else f"{plain[:LONGEST_NAME]}…"


def short_number(value: float) -> str:
    """Three digits and a unit: `1.25M`."""
    for unit, name in UNITS:
        if abs(value) >= unit * 0.9995:
            number = abs(value) / unit
            return f"{MINUS if value < 0 else ''}{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}{name}"
    return f"{value:,.0f}".replace("-", MINUS)


def share(part: float, whole: float) -> str:
    """`12 %` of the whole."""
    return "<1 %" if 0 < part < whole / 100 else f"{part / whole:.0%}".replace("%", " %")


def text_width(text: str, size: float) -> float:
    """About so many pixels, in the wider ones of the fonts that a browser may take."""
    return sum(map(_em, text)) * size


def fitting(text: str, pixels: float, size: float) -> str:
    """The text, or as much of its begin as there is room for."""
    plain = plain_text(text)
    if text_width(plain, size) <= pixels:
        return plain
    room, kept = pixels - size, 0
    for letter in plain:
        room -= _em(letter) * size
        if room < 0:
            break
        kept += 1
    return f"{plain[:kept].rstrip()}…"


def _em(letter: str) -> float:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if letter in "iljtfrI.,:;'|!()[] ":
        return 0.38
    return 0.95 if letter in "mwMW@%…" else 0.7 if letter.isupper() else 0.6


class Canvas:
    """Shapes and text at pixels from the top left."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._shapes: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        most: float,
        size: float = 11,
        look: str = "",
        anchor: Anchor = "start",
        after: str = "",
    ) -> None:
        """A line of text whose foot stands at `y`, cut to so many pixels. `look` are classes of the style; `after` is
        said softly where there is room left."""
        of = f' class="{look}"' if look else ""
        of += f' text-anchor="{anchor}"' if anchor != "start" else ""
        em = size * (1.12 if "bold" in look else 1)
        shown = fitting(text, most, em)
        rest = most - text_width(shown, em) - 6
        soft = f'<tspan dx="6" class="soft">{escape(fitting(after, rest, em))}</tspan>' if after and rest > 50 else ""
        style = f' style="font-size:{size:g}px"'
        self._shapes.append(f'<text x="{x:g}" y="{y:g}"{style}{of}>{escape(shown)}{soft}</text>')

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A bar; one of no width is a hair, for its value is not missing."""
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:g}" width="{max(width, 1):.1f}" height="{height:g}" fill="{colour}"/>'
        )

    def rule(self, x: float, y: float, *, to_x: float, to_y: float) -> None:
        """A faint straight line."""
        path = f"M{x:g} {y:g}L{to_x:g} {to_y:g}"
        self._shapes.append(f'<path d="{path}" stroke="currentColor" stroke-opacity=".22"/>')

    def line(
        self,
        parts: Iterable[Sequence[tuple[float, float]]],
        colour: str,
        *,
        dashes: str = "",
        width: float = 1.6,
        name: str = "",
    ) -> None:
        """A line through the places of each part; a part of one place is a dot."""
        path, dots = "", ""
        for (x, y), *rest in parts:
            path += f"M{x:.2f} {y:.2f}" + "".join(f"L{x:.2f} {y:.2f}" for x, y in rest)
            dots += "" if rest else f'<circle cx="{x:.2f}" cy="{y:.2f}" r="2" fill="{colour}"/>'
        of = f' stroke-dasharray="{dashes}"' if dashes else ""
        shape = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" stroke-linejoin="round"{of}/>'
        self._shapes.append(f'<g id="{name}">{shape}{dots}</g>' if name else shape)

    def place(self, x: float, y: float, shapes: str) -> None:
        """Ready-made shapes with their origin there."""
        self._shapes.append(f'<g transform="translate({x:.0f} {y:.0f})">{shapes}</g>')

    def head(self, title: str, *lines: str) -> float:
        """A title and lines below it; returns where they end."""
        self.text(MARGIN, 16, title, size=13, look="bold", most=self.width - 2 * MARGIN)
        for number, line in enumerate(lines):
            self.text(MARGIN, 32 + 14 * number, line, size=10.5, look="soft", most=self.width - 2 * MARGIN)
        return 22 + 14 * len(lines)

    def finish(self, height: float, title: str, description: str, *, style: str = "") -> str:
        """The picture, with a title and a description for those who cannot see it; `style` are rules of its own."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height:g}" width="{self.width}"'
            f' height="{height:g}" role="img" aria-labelledby="title desc">'
            f'<title id="title">{escape(brief(title))}</title>'
            f'<desc id="desc">{escape(plain_text(description))}</desc>'
            f"<style>{DRAWN_STYLE}{style}</style>{''.join(self._shapes)}</svg>"
        )
