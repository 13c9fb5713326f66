"""Times as people read them."""

from __future__ import annotations

_MINUTE, _HOUR = 60, 3600


def after(started: float | None, ended: float | None) -> str:
    """Return ``" after 3.0 s"``, to stand behind what ended; nothing where one of the times is not known."""
    return "" if started is None or ended is None else f" after {duration(ended - started)}"


def duration(seconds: float) -> str:
    """Return a duration in its natural unit: ``0.4 s``, ``41 s``, ``2 min 05 s``, ``1 h 10 min``."""
    if seconds < 9.95:  # noqa: PLR2004 - from here on a tenth says nothing
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
