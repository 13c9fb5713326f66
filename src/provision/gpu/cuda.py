"""Which CUDA a driver serves, and which CUDA compiles for a card.

The tables and their sources are in data/toolkits.json and data/architectures.json.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from provision.gpu.tables import rows, table
from provision.gpu.versions import parse_version
from provision.gpu.wheels import has_code_for

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fit(str, Enum):
    """How a toolkit goes with a driver."""

    FULL = "full"
    LIMITED = "limited"
    """It starts, by minor-version compatibility; PTX of the newer toolkit is not compiled."""
    NONE = "none"
    """It does not start, unless cuda-compat is installed, which works on data-centre GPUs alone."""
    UNKNOWN = "unknown"
    """The tables do not know this toolkit."""


def toolkits() -> tuple[tuple[str, str], ...]:
    """Return each toolkit and the Linux driver that came with it, the newest first."""
    return tuple((row["cuda"], row["driver"]) for row in rows("toolkits"))


def newest_cuda(driver: str) -> str | None:
    """Return the newest CUDA that a driver serves in full, ``None`` below CUDA 11 or for no version."""
    try:
        have = parse_version(driver)
    except ValueError:
        return None
    return next((toolkit for toolkit, needs in toolkits() if have >= parse_version(needs)), None)


def needed_driver(toolkit: str) -> str | None:
    """Return the driver that came with a toolkit, ``None`` where the table does not know it."""
    try:
        want = parse_version(toolkit)
    except ValueError:
        return None
    want = (*want, 0)[:2]
    return next((driver for known, driver in toolkits() if (*parse_version(known), 0)[:2] == want), None)


def oldest_driver(toolkit: str) -> str | None:
    """Return the oldest driver on which a toolkit of that major version starts at all."""
    try:
        floor: str | None = table("toolkits")["floors"].get(str(parse_version(toolkit)[0]))
    except ValueError:
        return None
    return floor


def fit(toolkit: str, driver: str) -> Fit:
    """Return how a toolkit, such as ``12.4``, goes with a driver.

    A toolkit that is newer than the table is judged by the oldest driver of its major version alone, or, where that
    is not known either, counts as unknown.

    Raises:
        ValueError: The driver is no dotted version.
    """
    have = parse_version(driver)
    needs = needed_driver(toolkit)
    if needs is not None and have >= parse_version(needs):
        return Fit.FULL
    floor = oldest_driver(toolkit) or needs
    if floor is None:
        return Fit.UNKNOWN
    if have < parse_version(floor):
        return Fit.NONE
    return Fit.LIMITED if needs is not None else Fit.UNKNOWN


def compiles_for(toolkit: str, capability: str) -> bool | None:
    """Return whether a toolkit makes code that runs on a card of this compute capability; ``None``: not known."""
    serving = _serving(capability)
    try:
        have = _pair(toolkit)
    except ValueError:
        return None
    if not serving or have > _pair(toolkits()[0][0]):
        return None
    return any(_pair(row["first"]) <= have and (row["last"] is None or have <= _pair(row["last"])) for row in serving)


def span(capability: str) -> tuple[str, str | None] | None:
    """Return the first and the last toolkit that compile for a capability (last ``None``: all newer ones do)."""
    serving = _serving(capability)
    if not serving:
        return None
    first = min((row["first"] for row in serving), key=_pair)
    ends = [row["last"] for row in serving]
    return first, None if None in ends else max(ends, key=_pair)


def _serving(capability: str) -> list[dict[str, Any]]:
    """Return the architectures whose code runs on a card: of its major capability, with an equal or lower minor one."""
    return [row for row in rows("architectures") if has_code_for((row["capability"],), capability)]


def nearest(driver: str, capabilities: Iterable[str] = ()) -> str | None:
    """Return the newest toolkit that a driver serves and that compiles for every card; ``None``: there is none.

    One that the driver serves in full is preferred to one that starts with limits.
    """
    cards = list(capabilities)
    for wanted in (Fit.FULL, Fit.LIMITED):
        for toolkit, _ in toolkits():
            try:
                fits = fit(toolkit, driver) is wanted
            except ValueError:
                return None
            if fits and all(compiles_for(toolkit, one) is not False for one in cards):
                return toolkit
    return None


def _pair(text: str) -> tuple[int, int]:
    version = (*parse_version(text), 0)
    return version[0], version[1]
