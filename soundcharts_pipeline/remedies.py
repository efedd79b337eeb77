"""One kind of failure in words, and what to do about it where it appears.

A remedy is written once, with words in capitals for a chart, its days and the platform; each place fills in what it
knows, so that the command can be copied, and says something else where it does not know enough.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

PAGE = "docs/troubleshooting.md"
PLACEHOLDER = re.compile(r"\b(SLUG|DAY|WORD|PLATFORM)\b")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a failure is about, as far as it is known: a chart, some days of it, the asset that failed."""

    chart: str = ""
    first: date | None = None
    last: date | None = None
    asset: str = ""

    @property
    def words(self) -> Mapping[str, str]:
        """What stands for the words in capitals. Without a day a command works on the newest; `plan` may know none."""
        if not self.chart:
            return {}
        days = f"--from {self.first} --to {self.last}" if self.first != self.last else f"--date {self.first}"
        words = {} if self.first else {"plan SLUG --date DAY": "plan SLUG --date YYYY-MM-DD"}
        words |= {" --date DAY": f" {days}" if self.first else "", "SLUG": shlex.quote(self.chart)}
        words["WORD"] = shlex.quote(self.chart.partition("-")[0])
        _, is_of_platform, platform = self.asset.partition("/")
        return words | ({"PLATFORM": platform} if is_of_platform else {})


NOBODY = Subject()


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of failure. `otherwise`: what to do where the remedy's words in capitals are not known, the last without
    any. `shared`: the cause is the same for every chart, so that one message is enough."""

    title: str
    explanation: str
    remedy: str
    otherwise: Sequence[str] = ()
    shared: bool = False

    @property
    def anchor(self) -> str:
        """Of its section in the page, as Markdown renderers make it."""
        return re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")

    @property
    def place(self) -> str:
        """Where to read more."""
        return f"{PAGE}#{self.anchor}"

    def advice(self, about: Subject = NOBODY) -> str:
        """What to do about it, with the command to copy."""
        for text in (self.remedy, *self.otherwise):
            for word, meaning in about.words.items():
                text = text.replace(word, meaning)
            if not PLACEHOLDER.search(text):
                break
        return text
