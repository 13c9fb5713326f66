"""On which Python and which machine a line of an environment file counts, as far as the file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.matchspec import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.environment.matchspec import MatchSpec
    from provision.environment.requirement import PipLine

PYTHONS = tuple(f"3.{minor}" for minor in range(6, 15))
"""Releases of Python that an environment may have, the oldest first."""
ARCHITECTURES = ("x86_64", "aarch64")
_PATCHES = range(31)


def conda_specs(dependencies: Sequence[str]) -> tuple[MatchSpec, ...]:
    """Return what conda is asked for, less what cannot be read."""
    found = []
    for text in dependencies:
        try:
            found.append(parse(text))
        except ValueError:
            continue
    return tuple(found)


def pythons(specs: Sequence[MatchSpec]) -> tuple[str, ...]:
    """Return the releases of Python that the file admits, the oldest first; empty: it does not say, any may come."""
    lines = [one for one in specs if one.name == "python" and one.version is not None]
    if not lines:
        return ()
    return tuple(
        python
        for python in PYTHONS
        if any(all(line.accepts_version(f"{python}.{patch}") for line in lines) for patch in _PATCHES)
    )


def counts(line: PipLine, admitted: Sequence[str], architecture: str | None) -> bool | None:
    """Return whether a line's marker holds on Linux with these Pythons; ``None``: it may or may not.

    Args:
        line: A line of the pip section.
        admitted: What `pythons` says.
        architecture: The host's, as ``uname -m`` says; ``None``: not known.
    """
    said = {
        line.applies(_markers(python, patch, machine))
        for python in admitted or PYTHONS
        for patch in (_PATCHES[0], _PATCHES[-1])
        for machine in ((architecture,) if architecture else ARCHITECTURES)
    }
    return said.pop() if len(said) == 1 else None


def _markers(python: str, patch: int, machine: str) -> dict[str, str]:
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.{patch}",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.{patch}",
        "python_version": python,
        "sys_platform": "linux",
    }
