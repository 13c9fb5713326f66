"""What must not be read in anything that a run leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST_LINE = 8
"""Characters from which on a line of a secret with several is a secret of its own."""


def hidden_texts(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return these texts, and each long line of one that has several.

    The longest come first: a secret that is part of another must not leave the rest of it readable.
    """
    texts = {one for one in secrets if one.strip()}
    texts |= {line for one in texts for line in one.splitlines() if len(line) >= SHORTEST_LINE}
    return tuple(sorted(texts, key=len, reverse=True))
