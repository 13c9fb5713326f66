"""What a host's environment comes to, as lines of an environment.yml that builds the same elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from provision.decode import printable
from provision.environment.export_channels import ChannelNames, channels_of
from provision.environment.export_file import Entry, Export, Locked, Pin
from provision.environment.export_pip import pip_entries
from provision.environment.export_sound import sound, sound_texts
from provision.environment.export_variables import told_variables
from provision.environment.matchspec import MatchSpec, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.environment.listing import CondaPackage, Listing

_EXPLICIT = re.compile(r"://|\burl=|\bmd5=|==[^=]+=[^=]+$")
"""Specifications that a list of archives makes of each of its packages: nobody's wish."""


@dataclass(frozen=True, slots=True)
class Built:
    """What was read of one environment on a host."""

    name: str
    listing: Listing
    asked: Mapping[str, Any] | None = None
    """``spec`` of the generation's marker; ``None``: it is no build of ours."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of conda-meta/state."""
    names: ChannelNames = field(default_factory=ChannelNames)
    """What the host's mirrors and local channels stand for."""
    locked: Locked = field(default_factory=Locked)


def export(built: Built, pin: Pin) -> Export:
    """Return the environment.yml for what is there.

    What nobody asked for is named only where every package is. A wish that what is there does not meet was changed
    by hand, and becomes the version that is there.
    """
    notes: list[str] = []
    built = replace(built, listing=sound(built.listing, notes))
    dependencies = list(_conda(built, pin, notes))
    if built.locked.unknown and pin is Pin.ASKED:
        notes.append("the lock that it was built from is not here: what pip was told by hand is not known")
    of_pip = sound_texts(built.asked, "pip", notes)
    pip = pip_entries(of_pip, built.listing, built.locked, every=pin is not Pin.ASKED, notes=notes)
    if pip:
        named = {name for one in dependencies if (name := _name_of(one.text))}
        there = {one.name: one for one in built.listing.conda}
        dependencies += [
            Entry(_exact(there[name], pin, None)) for name in ("python", "pip") if name not in named and name in there
        ]
    asked_channels = sound_texts(built.asked, "channels", notes)
    channels = [
        Entry(text, asked) for text, asked in channels_of(asked_channels, built.listing.conda, built.names, notes)
    ]
    variables, withheld = told_variables(built.variables, notes)
    return Export(built.name, tuple(channels), tuple(dependencies), tuple(pip), variables, withheld, tuple(notes))


def _conda(built: Built, pin: Pin, notes: list[str]) -> Iterator[Entry]:
    there = {one.name.lower(): one for one in built.listing.conda}
    wishes = tuple(_wishes(built.listing)) if built.asked is None else sound_texts(built.asked, "dependencies", notes)
    said: set[str] = set()
    for text in wishes:
        spec = _spec(text)
        if spec is None or spec.virtual:
            yield Entry(text, text)
            continue
        line = _line(spec, there.get(spec.name), pin, notes)
        # A second wish for what has its exact version by now adds nothing.
        if line is not None and (line == text or spec.name not in said):
            yield Entry(line, text)
        said.add(spec.name)
    for name, package in sorted(there.items()):
        if name in said:
            continue
        if pin is not Pin.ASKED:
            yield Entry(_exact(package, pin, None))
        elif built.asked is not None and built.locked.conda.get(name) != package.version and _wish(package):
            notes.append(f"{printable(package.name)} {printable(package.version)} was installed there by hand: added")
            yield Entry(_exact(package, pin, None))


def _line(spec: MatchSpec, package: CondaPackage | None, pin: Pin, notes: list[str]) -> str | None:
    """Return what stands for a wish; ``None``: nothing is there of what was asked for."""
    if package is None:
        notes.append(f"{printable(spec.text)} was removed there by hand: it is left out")
        return None
    if pin is Pin.ASKED and _meets(spec, package):
        return spec.text
    line = _exact(package, pin, spec.channel)
    if pin is Pin.ASKED:
        notes.append(f"{printable(spec.text)} was changed there by hand: now {line}")
    return line


def _wishes(listing: Listing) -> Iterator[str]:
    """Yield what somebody asked conda for, where no marker says it; all packages where nobody's wish is recorded."""
    wishes = [(one, wish) for one in listing.conda if (wish := _wish(one)) is not None]
    for package, wish in wishes:
        spec = _spec(wish)
        yield wish if spec is not None and _meets(spec, package) else _exact(package, Pin.ASKED, None)
    if not wishes:
        yield from (_exact(one, Pin.ASKED, None) for one in listing.conda)


def _wish(package: CondaPackage) -> str | None:
    """Return the last specification by which a person asked for it."""
    return next(
        (
            one
            for one in reversed(package.asked)
            if not _EXPLICIT.search(one) and (spec := _spec(one)) is not None and spec.name == package.name.lower()
        ),
        None,
    )


def _exact(package: CondaPackage, pin: Pin, channel: str | None) -> str:
    origin = f"{channel}::" if channel else ""
    if pin is Pin.BUILD and package.build:
        return f"{origin}{package.name}={package.version}={package.build}"
    return f"{origin}{package.name}=={package.version}"


def _meets(spec: MatchSpec, package: CondaPackage) -> bool:
    # Not its channel: a mirror has another name.
    return spec.matches(package.name, package.version, package.build, build_number=package.build_number)


def _spec(text: str) -> MatchSpec | None:
    try:
        return parse(text)
    except ValueError:
        return None


def _name_of(text: str) -> str | None:
    spec = _spec(text)
    return spec.name if spec is not None else None
