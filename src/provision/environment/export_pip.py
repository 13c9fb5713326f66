"""The pip part of an exported environment: what pip was asked for and has, less what conda brought."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from provision.decode import printable
from provision.environment.export_file import Entry
from provision.environment.requirement import PipLine, requirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.environment.export_file import Locked
    from provision.environment.listing import Listing, PipPackage

_BY_PIP = frozenset({"pip", "uv"})
_HASH = re.compile(r"\s+--hash[=\s]\S+")
_LOGIN = re.compile(r"(?<=://)[^/@\s]*@")


def pip_entries(
    asked: Sequence[str], listing: Listing, locked: Locked, *, every: bool, notes: list[str]
) -> list[Entry]:
    """Return the lines of the pip section.

    Args:
        asked: The lines that the environment was built with, options included.
        listing: What is installed.
        locked: What a lock brought, all of it by name.
        every: Name every distribution at its version; else the asked ones as asked.
        notes: Takes what cannot be exported.
    """
    own: dict[str, PipPackage] = {canonicalize_name(one.name): one for one in pip_owned(listing)}
    found: list[Entry] = []
    said: set[str] = set()
    for text in asked:
        line = _line(text)
        if line is None or not _applies(line, listing):
            found.append(Entry(text, text))
            continue
        package = _met_with(line, listing, own)
        said.add(canonicalize_name(package.name) if package else str(line.name))
        told = _told(line, package, listing, every=every, notes=notes)
        found += [Entry(told, text)] if told is not None else []
    for name, package in sorted(own.items()):
        if name in said or not (every or _by_hand(name, package, locked)):
            continue
        pinned = _pinned(package, None, notes)
        if pinned is not None and not every:
            notes.append(f"pip: {printable(pinned, 200)} was installed there by hand: added")
        found += [Entry(pinned)] if pinned is not None else []
    # Options alone install nothing.
    return _hashed(found, notes) if any(not _is_option(one.text) for one in found) else []


def _told(line: PipLine, package: PipPackage | None, listing: Listing, *, every: bool, notes: list[str]) -> str | None:
    """Return what stands for an asked line; ``package`` is what pip installed for it."""
    met = line.met_by(listing.pip)
    if package is None and not met:
        notes.append(f"pip: {printable(line.text, 200)} was removed there by hand: it is left out")
        return None
    # What conda has for it pip left alone, and so does the export.
    if package is None or (met and (not every or _is_exact(line))):
        return line.text
    pinned = _pinned(package, line, notes)
    if pinned is not None and not every:
        notes.append(f"pip: {printable(line.text, 200)} was changed there by hand: now {printable(pinned, 200)}")
    return pinned


def _by_hand(name: str, package: PipPackage, locked: Locked) -> bool:
    return package.requested and not locked.unknown and locked.pip.get(name) not in {package.version, ""}


def pip_owned(listing: Listing) -> Iterator[PipPackage]:
    """Yield the distributions that pip installed; those of conda's packages only where pip replaced them."""
    brought = {canonicalize_name(dist): package for package in listing.conda for dist in package.distributions}
    for one in listing.pip:
        package = brought.get(canonicalize_name(one.name))
        if package is None:
            if one.installer != "conda":
                yield one
        elif one.installer in _BY_PIP:
            # Packages of conda may be marked as pip's too: pip replaced what has another version or lost its files.
            same_name = canonicalize_name(package.name) == canonicalize_name(one.name)
            replaced = not _same(package.version, one.version) if same_name else bool(package.missing)
            if replaced:
                yield one


def _line(text: str) -> PipLine | None:
    """Return the requirement of a line; ``None`` for an option, and for what cannot be read: it stays as it is."""
    try:
        found = requirements([text])
    except ValueError:
        return None
    return found[0] if len(found) == 1 else None


def _applies(line: PipLine, listing: Listing) -> bool:
    return listing.markers is None or line.applies(listing.markers)


def _met_with(line: PipLine, listing: Listing, own: dict[str, PipPackage]) -> PipPackage | None:
    if line.name is not None:
        return own.get(line.name)
    return next((one for one in listing.pip if line.met_by([one])), None)


def _is_exact(line: PipLine) -> bool:
    if line.requirement is None or line.requirement.url is not None:
        return False
    return any(one.operator in {"==", "==="} and not one.version.endswith(".*") for one in line.requirement.specifier)


def _pinned(package: PipPackage, line: PipLine | None, notes: list[str]) -> str | None:
    """Return the line that installs this version, or ``None`` where no other machine can."""
    shown = f"{printable(package.name)} {printable(package.version)}"
    name = package.name
    url = package.direct_url
    if package.editable:
        notes.append(f"pip: {shown} is an editable install of {printable(url or 'a folder there')}: it is left out")
        return None
    if url and not re.match(r"https?://|git\+|ssh://|git://|git@", url):
        notes.append(f"pip: {shown} was installed from {printable(url)}, a file of the host: it is left out")
        return None
    if url:
        if _LOGIN.search(url) and not url.startswith(("ssh://", "git@")):
            notes.append(f"pip: {shown} came from an address with a login, which is left out")
            url = _LOGIN.sub("", url)
        if package.commit and not url.startswith("git+"):
            url = f"git+{url}"
        return f"{name} @ {url}@{package.commit}" if package.commit else f"{name} @ {url}"
    extras = marker = ""
    if line is not None and line.requirement is not None:
        extras = f"[{','.join(sorted(line.requirement.extras))}]" if line.requirement.extras else ""
        marker = f" ; {line.requirement.marker}" if line.requirement.marker is not None else ""
    return f"{name}{extras}{'==' if _parsed(package.version) else '==='}{package.version}{marker}"


def _hashed(found: list[Entry], notes: list[str]) -> list[Entry]:
    """Leave the hashes out where not every line has one: pip takes all or none."""
    lines = [one for one in found if not _is_option(one.text)]
    hashed = [one for one in lines if _HASH.search(one.text)]
    strict = any(one.text == "--require-hashes" for one in found)
    if not (hashed or strict) or len(hashed) == len(lines):
        return found
    notes.append(
        "pip: no hash is known of what was installed by hand, and pip takes hashes for all lines or none: none"
    )
    return [Entry(_HASH.sub("", one.text), one.asked) for one in found if one.text != "--require-hashes"]


def _is_option(text: str) -> bool:
    return text.lstrip().startswith("-") and not re.match(r"\s*(-e|--editable)\b", text)


def _same(version: str, other: str) -> bool:
    mine, theirs = _parsed(version), _parsed(other)
    return mine == theirs if mine is not None and theirs is not None else version == other


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None
