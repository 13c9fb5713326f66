"""What a card says of itself, by the names of nvidia-smi's fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.model.facts import Gpu

_LONGEST = 18
"""Digits of the largest number that a 64-bit counter can always hold."""


def called(gpu: Gpu) -> str:
    """Return how a card is named in a finding."""
    return f"GPU {gpu.index}" if gpu.index is not None else "a GPU"


def which(gpu: Gpu) -> str:
    """Return the option that names a card to nvidia-smi, with a space before it; empty where nothing names it."""
    if gpu.index is not None:
        return f" -i {gpu.index}"
    return f" -i {gpu.bus_id}" if gpu.bus_id else ""


def failed(gpu: Gpu, name: str) -> bool:
    """Return whether the reading of that field failed, which GPU-READING-FAILED tells."""
    return any(one.startswith(f"{name}: ") for one in gpu.failures)


def known(text: str) -> bool:
    """Return whether a text is more than the driver's way to say that the card has no such thing."""
    return text.strip().strip("[]").lower() not in {"", "n/a", "not supported", "not applicable", "none."}


def text(readings: dict[str, str], name: str) -> str:
    """Return a reading in small letters, empty where it was not asked for."""
    return readings.get(name, "").strip().lower()


def yes(readings: dict[str, str], name: str) -> bool:
    """Return whether a reading says yes."""
    return text(readings, name) == "yes"


def active(readings: dict[str, str], name: str) -> bool:
    """Return whether that reason holds the clock down; the driver 535 renamed the family of these fields."""
    return any(
        text(readings, f"{family}.{name}") == "active" for family in ("clocks_event_reasons", "clocks_throttle_reasons")
    )


def number(readings: dict[str, str], name: str) -> int | None:
    """Return a counter, ``None`` where the reading is none."""
    found = text(readings, name)
    return int(found) if found.isascii() and found.isdigit() and len(found) <= _LONGEST else None
