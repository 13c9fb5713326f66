"""Counts and bytes as people read them."""

from __future__ import annotations

_STEP = 1000
_UNITS = ("kB", "MB", "GB", "TB")


def sized(number: int) -> str:
    """Return bytes in decimal units: ``512 B``, ``1.2 kB``, ``118 MB``."""
    if number < _STEP:
        return f"{number} B"
    value, power = number / _STEP, 0
    while value >= _STEP - 0.5 and power < len(_UNITS) - 1:
        value, power = value / _STEP, power + 1
    unit = _UNITS[power]
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"  # noqa: PLR2004 - then a tenth says nothing


def files(number: int) -> str:
    """Return ``1 file``, ``20,000 files``."""
    return f"{number:,} file{'' if number == 1 else 's'}"
