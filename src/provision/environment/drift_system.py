"""What tell_system.sh says: a restart that is due, updates that come by themselves, when packages were exchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LATEST = 1 << 40
"""Seconds since the epoch that no host's clock shows."""
_LONGEST = 200
_LOG = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:upgrade|install) (\S{1,100}) (\S{1,100}) (\S{1,100})")
_APT = re.compile(r'(\S{1,80}) "([^"]{0,200})";')
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,100}")
"""Names that apt and rpm know: they become words of a command that somebody copies."""
_ON = frozenset({"1", "always", "true"})
_HELD = "h"
"""First letter of dpkg's status for a package that apt must leave as it is."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A package of the system's that its manager noted as replaced."""

    at: str
    """``2026-11-20 06:12:33``, in the host's own time zone."""
    name: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of the system."""

    restart: bool = False
    restart_since: int | None = None
    """Seconds since the epoch by the host's clock; ``None``: nobody knows."""
    restart_for: tuple[str, ...] = ()
    """The packages that wait for it."""
    upgrades: str | None = None
    """What installs updates without being asked: the name of its timer."""
    drivers: tuple[tuple[str, str], ...] = ()
    """Packages of the GPU's driver, with version, that such updates may exchange."""
    apt: bool = True
    """Whether those are apt's; else dnf's."""
    exchanged: tuple[Exchanged, ...] = ()
    """The oldest first."""
    conda: tuple[tuple[str, int], ...] = ()
    """Packages of conda's base that are newer than its last check, with the host's time of each."""


def parse_told(output: bytes) -> Told:
    """Return what the script printed; what cannot be read counts as not said."""
    said: dict[str, list[str]] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        key, _, text = line.partition("|")
        said.setdefault(key, []).append(text[:_LONGEST])
    restart = said.get("restart")
    timer = next(iter(said.get("timer", ())), None)
    apt, drivers = _by_apt(said), _drivers(said)
    return Told(
        restart=restart is not None,
        restart_since=_seconds(restart[0]) if restart else None,
        restart_for=tuple(said.get("restart.for", ())),
        upgrades=timer if apt or _by_dnf(said) else None,
        drivers=drivers,
        apt="apt" in said,
        exchanged=tuple(Exchanged(*found.groups()) for one in said.get("log", ()) if (found := _LOG.match(one))),
        conda=tuple(_newer(said.get("conda", ()))),
    )


def _by_apt(said: dict[str, list[str]]) -> bool:
    settings = dict(_settings(said))
    on = settings.get("APT::Periodic::Unattended-Upgrade", "0")
    # A number of days, or `always`; 0 is never.
    armed = on in _ON or (on.isdigit() and on != "0")
    return armed and settings.get("APT::Periodic::Enable", "1") != "0"


def _by_dnf(said: dict[str, list[str]]) -> bool:
    installs = "apply_updates=yes" in said.get("dnf", ()) or "dnf-automatic-install.timer" in said.get("timer", ())
    return "dnf" in said and installs


def _settings(said: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for one in said.get("apt", ()) if (found := _APT.match(one))]


def _drivers(said: dict[str, list[str]]) -> tuple[tuple[str, str], ...]:
    """Return the packages of the driver that nothing keeps as they are."""
    if said.get("dnf.kept"):
        return ()
    # A pattern of apt's configuration is never run as one here: a host wrote it.
    kept = [
        plain
        for name, value in _settings(said)
        if name.startswith("Unattended-Upgrade::Package-Blacklist")
        and (plain := value.strip("^$").removesuffix(".*").rstrip("-"))
    ]
    found = []
    for line in said.get("driver", ()):
        status, _, rest = line.partition("|")
        name, _, version = rest.partition("|")
        exchangeable = status[1:2] == "i" and status[:1] != _HELD and not any(name.startswith(one) for one in kept)
        if exchangeable and _PACKAGE.fullmatch(name):
            found.append((name, version))
    return tuple(found)


def _newer(lines: list[str] | tuple[()]) -> list[tuple[str, int]]:
    found = []
    for line in lines:
        at, _, path = line.partition("|")
        seconds = _seconds(at)
        if seconds is not None:
            found.append((path.rpartition("/")[2].removesuffix(".json"), seconds))
    return sorted(found)


def _seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 and int(text) < _LATEST else None  # noqa: PLR2004 - digits
