"""One line of a pip section: what must be installed for it to be met."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.environment.listing import PipPackage

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTIONS = re.compile(r"\s--[a-z-]+([ =]\S+|$)")
_EDITABLE = re.compile(r"(-e|--editable)[ =]\s*")
_EGG = re.compile(r"(?:^|[#&])egg=([A-Za-z0-9._-]+)")
_EXTRAS = re.compile(r"\[[^\]]*\]$")


@dataclass(frozen=True, slots=True)
class PipLine:
    """A requirement; a line without a name is met by where something was installed from."""

    text: str
    requirement: Requirement | None
    """PEP 508; ``None`` for a bare path or URL."""
    name: str | None
    """Normalised by PEP 503."""
    location: str | None
    """A path or URL that the package is installed from."""

    def applies(self, markers: Mapping[str, str]) -> bool:
        """Whether the line is meant for that Python on that machine."""
        marker = self.requirement.marker if self.requirement is not None else None
        return marker is None or marker.evaluate({**markers, "extra": ""})

    def met_by(self, packages: Sequence[PipPackage]) -> bool:
        """Whether one of the installed packages is what the line asks for."""
        if self.name is not None:
            return any(self._fits(one) for one in packages if canonicalize_name(one.name) == self.name)
        wanted = _address(self.location or "")
        return any(_same(_address(one.direct_url), wanted) for one in packages if one.direct_url)

    def _fits(self, package: PipPackage) -> bool:
        if self.requirement is None or not self.requirement.specifier:
            return True
        try:
            version = Version(package.version)
        except InvalidVersion:
            return any(one.operator == "===" and one.version == package.version for one in self.requirement.specifier)
        # pip may have been told --pre; what is installed was chosen, so a pre-release counts.
        return self.requirement.specifier.contains(version, prereleases=True)


def requirements(lines: Sequence[str]) -> tuple[PipLine, ...]:
    """Return the requirements among the lines of a pip section; comments and option lines are none.

    Raises:
        ValueError: A line is neither; the message is one line.
    """
    joined = "\n".join(lines).replace("\\\n", " ")
    found = (_line(line) for line in joined.splitlines())
    return tuple(one for one in found if one is not None)


def _line(line: str) -> PipLine | None:
    text = _COMMENT.sub("", line).strip()
    editable = _EDITABLE.match(text)
    if not text or (text.startswith("-") and editable is None):
        return None
    plain = _OPTIONS.sub(" ", text[editable.end() :] if editable else text).strip()
    if plain[:1] in {"'", '"'} and plain[-1:] == plain[:1]:
        plain = plain[1:-1]
    if editable is None:
        try:
            requirement = Requirement(plain)
        except InvalidRequirement as error:
            if not _is_location(plain):
                reason = str(error).splitlines()[0]
                raise ValueError(f"{text!r} is not a requirement that pip takes: {reason}") from error
        else:
            return PipLine(text, requirement, canonicalize_name(requirement.name), requirement.url)
    return PipLine(text, None, _name(plain), plain)


def _is_location(text: str) -> bool:
    return "://" in text or "/" in text or text.startswith((".", "file:")) or text.endswith((".whl", ".gz", ".zip"))


def _name(location: str) -> str | None:
    egg = _EGG.search(location)
    if egg is not None:
        return canonicalize_name(egg[1])
    last = unquote(location.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2])
    try:
        return str(parse_wheel_filename(last)[0])
    except InvalidWheelFilename:
        return None


def _address(location: str) -> tuple[str, str]:
    """Return scheme and host, and the path without what only says which part or revision is meant."""
    plain = _EXTRAS.sub("", location.partition("#")[0])
    plain = re.sub(r"^(git|hg|svn|bzr)\+", "", plain)
    parts = urlsplit(plain) if "://" in plain or plain.startswith("file:") else None
    if parts is None or parts.scheme == "file":
        return "", _tidy(unquote(parts.path if parts else plain))
    path = parts.path.rpartition("@")[0] if "@" in parts.path else parts.path
    return (parts.hostname or "").lower(), _tidy(unquote(path)).removesuffix(".git")


def _tidy(path: str) -> str:
    return "/".join(one for one in path.split("/") if one not in {"", ".", "..", "~"})


def _same(found: tuple[str, str], wanted: tuple[str, str]) -> bool:
    if found[0] != wanted[0]:
        return False
    # A relative path was relative to a folder of the host that is not known here: its end must agree.
    return not wanted[1] or found[1] == wanted[1] or (not wanted[0] and found[1].endswith("/" + wanted[1]))
