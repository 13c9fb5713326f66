"""The text of the constant scripts that travel with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"

INCLUDES: dict[str, tuple[str, ...]] = {
    "probe.sh": ("packages_digest.sh",),
    "build_environment.sh": ("packages_digest.sh", "conda_isolated.sh"),
    "check_conda.sh": ("conda_isolated.sh",),
}
"""Scripts of functions alone that go in front of a script that calls them."""


COMPACT = frozenset({"probe.sh"})
"""Scripts that are sent without comments and indentation: the probe then fits one flight of a new TCP connection."""


@cache
def source(name: str) -> str:
    """Return the text of a script with the function files that it needs in front."""
    parts = (*INCLUDES.get(name, ()), name)
    text = "\n".join((FOLDER / one).read_text(encoding="utf-8") for one in parts)
    return _compact(text) if name in COMPACT else text


def _compact(text: str) -> str:
    lines = (line.lstrip(" ") for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"
