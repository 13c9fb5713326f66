"""How a lost link is told."""

from __future__ import annotations

from provision.report.display import one_line

_LOST = "the link was lost"


def link_lost(reason: str, name: str = "") -> str:
    """Return one line; `name` is the host's, where it does not stand before the line already."""
    said = one_line(reason)
    link = f"the link to {one_line(name)}" if name else "the link"
    if said.startswith(_LOST):
        return f"{link} was lost{said.removeprefix(_LOST)}: connecting again"
    return f"{link} broke ({said}): connecting again"
