"""llms.txt: the list of pages for assistants, made of docs/README.md.

`python -m soundcharts_pipeline_tests.support.llms` writes it.
"""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "llms.txt"


def llms_text() -> str:
    """The title, the first paragraph as a quotation, and the sections, with addresses as seen from the repository."""
    title, about, *sections = (PROJECT / "docs" / "README.md").read_text(encoding="utf-8").split("\n\n")
    pages = "\n\n".join(part for part in sections if part.startswith(("## ", "- ")))
    first = " ".join(about.split()).partition(". ")[0]
    return f"{title}\n\n> {first}.\n\n" + re.sub(r"\]\((?=\w)", "](docs/", pages).rstrip() + "\n"


if __name__ == "__main__":
    FILE.write_text(llms_text(), encoding="utf-8")
