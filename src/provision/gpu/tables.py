"""The data files of this package, read when they are first asked; each names its source."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "data"


@lru_cache
def table(name: str) -> dict[str, Any]:
    """Return the content of one data file: its ``source``, its ``rows``, and what else it says."""
    content: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


@lru_cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    """Return the rows of one data file."""
    return tuple(table(name)["rows"])
