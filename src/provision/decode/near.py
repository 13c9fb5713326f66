"""What the user probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def near_match(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is nearest to a misspelt one, or ``None`` where none is near."""
    by_form = {_form(one): one for one in known}
    if _form(word) in by_form:
        return by_form[_form(word)]
    import difflib

    found = difflib.get_close_matches(_form(word)[:80], by_form, n=1, cutoff=0.6)
    return by_form[found[0]] if found else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``, did you mean 'x'?``, or nothing where nothing is near."""
    found = near_match(word, known)
    return f", did you mean '{found}'?" if found else ""


def _form(word: str) -> str:
    return word.lower().replace("-", "_").lstrip("_")
