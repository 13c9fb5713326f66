"""Which CUDA a driver serves.

Source of both tables: NVIDIA, "CUDA Toolkit Release Notes", "CUDA Toolkit and Corresponding Driver Versions"
and "CUDA Toolkit and Minimum Required Driver Version for CUDA Minor Version Compatibility", Linux columns.
"""

from __future__ import annotations

from enum import Enum

from provision.gpu.versions import parse_version

TOOLKITS: tuple[tuple[str, str], ...] = (
    ("13.2", "595.45.04"),
    ("13.1", "590.44.01"),
    ("13.0", "580.65.06"),
    ("12.9", "575.51.03"),
    ("12.8", "570.26"),
    ("12.6", "560.28.03"),
    ("12.5", "555.42.02"),
    ("12.4", "550.54.14"),
    ("12.3", "545.23.06"),
    ("12.2", "535.54.03"),
    ("12.1", "530.30.02"),
    ("12.0", "525.60.13"),
    ("11.8", "520.61.05"),
    ("11.7", "515.43.04"),
    ("11.6", "510.39.01"),
    ("11.5", "495.29.05"),
    ("11.4", "470.42.01"),
    ("11.3", "465.19.01"),
    ("11.2", "460.27.03"),
    ("11.1", "455.23"),
    ("11.0", "450.51.05"),
)
"""Each toolkit and the Linux driver that came with it, the newest first."""

FLOORS: tuple[tuple[int, str], ...] = ((13, "580.65.06"), (12, "525.60.13"), (11, "450.80.02"))
"""The oldest driver on which any toolkit of a major version starts."""


class Fit(str, Enum):
    """How a toolkit goes with a driver."""

    FULL = "full"
    LIMITED = "limited"
    """It starts, by minor-version compatibility; PTX of the newer toolkit is not compiled."""
    NONE = "none"
    """It does not start, unless cuda-compat is installed, which works on data-centre GPUs alone."""
    UNKNOWN = "unknown"
    """The tables do not know this toolkit."""


def newest_cuda(driver: str) -> str | None:
    """Return the newest CUDA that a driver serves in full, ``None`` below CUDA 11 or for no version."""
    try:
        have = parse_version(driver)
    except ValueError:
        return None
    return next((toolkit for toolkit, needs in TOOLKITS if have >= parse_version(needs)), None)


def needed_driver(toolkit: str) -> str | None:
    """Return the driver that came with a toolkit, ``None`` where the table does not know it."""
    try:
        want = parse_version(toolkit)[:2]
    except ValueError:
        return None
    return next((driver for known, driver in TOOLKITS if parse_version(known) == want), None)


def oldest_driver(toolkit: str) -> str | None:
    """Return the oldest driver on which a toolkit of that major version starts at all."""
    try:
        return dict(FLOORS).get(parse_version(toolkit)[0])
    except ValueError:
        return None


def fit(toolkit: str, driver: str) -> Fit:
    """Return how a toolkit, such as ``12.4``, goes with a driver.

    Raises:
        ValueError: The driver is no dotted version.
    """
    have = parse_version(driver)
    needs = needed_driver(toolkit)
    if needs is None:
        return Fit.UNKNOWN
    if have >= parse_version(needs):
        return Fit.FULL
    floor = oldest_driver(toolkit) or needs
    return Fit.LIMITED if have >= parse_version(floor) else Fit.NONE
