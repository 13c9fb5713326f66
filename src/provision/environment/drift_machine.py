"""The machine that an environment was last proven on, and how it differs from what it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.environment.drift_text import when
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.environment.drift_system import Exchanged, Told

CLOCK = "clock"
_PARTS = {"driver": "the GPU driver", "kernel": "the kernel", "glibc": "glibc", "os": "the system"}
_LOGGED = {"driver": ("nvidia", "libnvidia"), "kernel": ("linux-",), "glibc": ("libc6",)}
"""How the package manager's log calls the packages of a part."""
_SHOWN = 8


def machine_findings(then: Mapping[str, Any], now: Mapping[str, Any], told: Told) -> Iterator[Finding]:
    """Yield each part that was exchanged since `then`, which the record of the last passed check says."""
    clock = then.get(CLOCK)
    at = when(clock) if isinstance(clock, int) else None
    for part, was, is_now in _differences(then, now):
        log = _logged(part, told.exchanged, clock if isinstance(clock, int) else None)
        yield Finding(
            "SYSTEM-DRIFT",
            Severity.WARNING,
            f"{_PARTS[part]} is {is_now or 'not there'}, and was {was or 'not there'} when the last `up` proved the"
            f" environment{f' ({at})' if at else ''}{log}",
            "`provision up` proves the environment with it; if nobody meant this, look who exchanged it",
        )


def conda_findings(version: str | None, recorded: object, prefix: str, told: Told) -> Iterator[Finding]:
    """Yield that the conda which builds environments is another version than the one last run by provision."""
    if not isinstance(recorded, str) or version is None or recorded == version:
        return
    newer = ", ".join(name for name, _ in told.conda[:_SHOWN])
    more = f" and {len(told.conda) - _SHOWN} more" if len(told.conda) > _SHOWN else ""
    at = when(max((one for _, one in told.conda), default=None))
    what = f"; newer there: {newer}{more}{f', the last on {at}' if at else ''}" if newer else ""
    yield Finding(
        "SYSTEM-DRIFT",
        Severity.WARNING,
        f"conda at {prefix} is {version}, and was {recorded} when provision last ran it{what}",
        "`provision up` runs it once and notes the version; environments that are built stay as they are",
    )


def system_findings(told: Told) -> Iterator[Finding]:
    """Yield that a restart is due, and that updates come by themselves which may exchange the driver."""
    if told.restart:
        since = when(told.restart_since)
        packages = ", ".join(told.restart_for[:_SHOWN])
        more = f" and {len(told.restart_for) - _SHOWN} more" if len(told.restart_for) > _SHOWN else ""
        yield Finding(
            "REBOOT-PENDING",
            Severity.WARNING,
            "a restart is due" + (f" since {since}" if since else "") + (f": {packages}{more}" if packages else ""),
            "when no job runs there: `sudo reboot`, then `provision up`",
        )
    if told.upgrades and told.drivers:
        names = [name for name, _ in told.drivers]
        shown = ", ".join(f"{name} {version}" for name, version in told.drivers[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield Finding(
            "UPGRADES-ARMED",
            Severity.WARNING,
            f"{told.upgrades} installs updates by itself, and nothing keeps the GPU driver as it is: {shown}{more}",
            f"sudo apt-mark hold {' '.join(names)}"
            if told.apt
            else "sudo dnf versionlock add 'nvidia-*' 'kmod-nvidia*'",
        )


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
    for part in _PARTS:
        was = then.get(part)
        if part in then and (was is None or isinstance(was, str)) and was != now.get(part):
            yield part, was, now.get(part)


def _logged(part: str, exchanged: Iterable[Exchanged], since: int | None) -> str:
    """Return when the package manager noted it, at most a day before the record: its times have no zone."""
    if since is None:
        return ""
    earliest = (when(since - 86_400) or "").removesuffix(" UTC")
    found = [one for one in exchanged if one.name.startswith(_LOGGED.get(part, ("\0",))) and one.at >= earliest]
    if not found:
        return ""
    last = found[-1]
    return f"; the package manager's log: {last.at} {last.name} {last.was} -> {last.now}"
