"""The payload files: bodies in the shapes that the API reference documents or that others recorded, made-up values."""

import json
from pathlib import Path
from typing import Any

PAYLOADS = Path(__file__).parent.parent / "payloads"


def payload(name: str) -> Any:
    """One body, read anew so that a test may change it."""
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
