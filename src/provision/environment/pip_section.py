"""pip's requirement lines: read with the files they include, and judged before anything is installed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from provision.decode import printable
from provision.decode.checks import redacted
from provision.decode.document import read_bytes, shown_path
from provision.decode.near import suggestion
from provision.decode.text import RefusedTextError, invisible, text_of
from provision.errors import BadFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MOST_LINES = 10_000
_MOST_INCLUDES = 10

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[A-Za-z0-9._,\s-]*\])?\s*"
    r"(?:\(?\s*(?P<versions>[=<>!~][^;()@]*?)\s*\)?|@\s*(?P<url>\S+))?\s*(?:;\s*(?P<marker>.+))?"
)
_SPECIFIER = re.compile(r"(?:==|!=)\s*[\w.!+-]+(?:\.\*)?|(?:~=|<=|>=|<|>)\s*[\w.!+-]+|===\s*\S+")
_OF_THIS_MACHINE = re.compile(r"\s*(?:-e|--editable|[./~])(?!.*://)")
"""Lines that mean files of this machine."""
_PER_REQUIREMENT = re.compile(r"\s--(?:hash|config-settings?|global-option)[=\s]\S+")
# ssh's `git@` names a login without a secret; any login in an http address is one.
_LOGIN = re.compile(r"https?://[^/\s]*@|://[^/\s@]*:[^/\s@]+@")

_SHORT = {
    "-i": "--index-url",
    "--pypi-url": "--index-url",
    "-f": "--find-links",
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
}
_WITH_URL = ("--index-url", "--extra-index-url", "--find-links")
_WITH_VALUE = ("--no-binary", "--only-binary", "--use-feature")
_BARE = ("--pre", "--prefer-binary", "--require-hashes", "--no-index")
_INCLUDING = ("--requirement", "--constraint")
_KNOWN = (*_WITH_URL, *_WITH_VALUE, *_BARE, *_INCLUDING, "--editable", "--trusted-host")


_INIT = "or run provision init, which leaves such lines out"


class Place(NamedTuple):
    """Where a line stands."""

    folder: Path
    """Included files are seen from here."""
    complain: Callable[[str], None]
    """Called with what is wrong with the line."""
    including: tuple[Path, ...] = ()
    """The files that led here, the outermost first."""


@dataclass
class PipSection:
    """What pip lines come to; lines are added one by one."""

    root: Path
    """Included files must lie below it."""
    allow: bool
    """Whether lines that weaken the download or leave the project are taken."""
    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, line: str, place: Place) -> None:
        """Add one line, and what the file that it includes says."""
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not text:
            return
        if len(self.lines) + len(self.constraints) >= _MOST_LINES:
            place.complain(f"more than {_MOST_LINES:,} pip lines: this is not such a file")
        elif _LOGIN.search(text):
            place.complain(
                f"'{printable(redacted(text))}' holds a login, which would be stored in plain text: "
                "keep it in ~/.netrc on the host"
            )
        elif text.startswith("-"):
            self._add_option(text, place)
        else:
            self._add_requirement(text, place)

    def read(self, path: Path, including: tuple[Path, ...] = ()) -> None:
        """Add all lines of a requirements file.

        Raises:
            BadFileError: the file or a line of it cannot be taken; names the file and line.
        """
        shown = shown_path(path)
        try:
            text = text_of(read_bytes(path))
        except RefusedTextError as error:
            raise BadFileError(f"{shown}:{error.line}: {error.message}") from None
        begun, pending = 0, ""
        for number, line in enumerate(text.splitlines(), start=1):
            begun = begun if pending else number
            # Only a requirements.txt that stands alone becomes an environment.yml.
            alone = path.name == "requirements.txt" and not including
            hint = _INIT if alone and _OF_THIS_MACHINE.match(line) else None
            complain = partial(_refuse, f"{shown}:{begun}", hint=hint)
            character = invisible(line.replace("\t", " "))
            if character is not None:
                complain(f"'{printable(line)}' holds an invisible character, {character}: remove it")
            pending += line.removesuffix("\\")
            if not line.endswith("\\"):
                self.add(pending, Place(path.parent, complain, (*including, path)))
                pending = ""

    def _add_option(self, text: str, place: Place) -> None:
        option, value = _option(text)
        shown = printable(text)
        if option not in _KNOWN:
            place.complain(
                f"'{shown}': pip takes no option {printable(option)} from a file{suggestion(option, _KNOWN)}"
            )
        elif (option in _BARE) == bool(value):
            place.complain(f"'{shown}': {option} {'takes no' if value else 'needs a'} value")
        elif option in _INCLUDING:
            self._include(option, value, place)
        elif option == "--editable":
            self._add_editable(value, place)
        elif option == "--trusted-host":
            self._add_if_allowed(f"{option} {value}", place, "turns off the check of the server's certificate")
        elif option in _WITH_URL and not value.startswith("https://"):
            what = "no https:// address" if "://" in value else "a path, which is not there on the host"
            self._add_if_allowed(f"{option} {value}", place, f"names {what}")
        else:
            self.lines.append(f"{option} {value}".rstrip())
            if option in _WITH_URL:
                self.notes.append(f"pip is told: {option} {printable(redacted(value), 200)}")

    def _add_editable(self, value: str, place: Place) -> None:
        if "://" in value:
            self._add_if_allowed(f"--editable {value}", place, "installs whatever the repository holds at that moment")
            return
        place.complain(
            f"'-e {printable(value)}' installs the project, which is not there while its environment is built: "
            "leave it out, jobs run in the project's folder"
        )

    def _add_requirement(self, text: str, place: Place) -> None:
        shown = printable(text)
        plain = _PER_REQUIREMENT.sub("", text).strip()
        if re.match(r"[a-z+]+://", plain):
            self._add_url(text, plain.split()[0], place)
            return
        if plain.startswith((".", "/", "~")) or re.fullmatch(r"[^@;]+\.(whl|tar\.gz|zip)", plain):
            place.complain(f"'{shown}' is a path, which is not there on the host: name a package or an https:// URL")
            return
        found = _REQUIREMENT.fullmatch(plain)
        if found is None:
            place.complain(f"'{shown}' is not a requirement, expected one such as torch==2.9.1{_advice(plain)}")
            return
        wrong = _wrong_part(found)
        if wrong is not None:
            place.complain(f"'{shown}': '{printable(wrong)}' is no condition of pip{_advice(plain)}")
        elif found["url"]:
            self._add_url(text, found["url"], place)
        else:
            self.lines.append(text)

    def _add_url(self, text: str, url: str, place: Place) -> None:
        if not url.startswith(("https://", "git+https://")):
            self._add_if_allowed(text, place, "does not come over https")
            return
        self.lines.append(text)
        self.notes.append(f"pip installs from {printable(redacted(url), 200)}")

    def _add_if_allowed(self, text: str, place: Place, reason: str) -> None:
        if not self.allow:
            allowed = "'environment: {allow_pip_options: true}' in the playbook"
            place.complain(f"'{printable(text)}' {reason}: allow it with {allowed}")
            return
        self.lines.append(text)
        self.notes.append(f"pip is told: {printable(text, 200)} (allowed by the playbook)")

    def _include(self, option: str, value: str, place: Place) -> None:
        shown = printable(value)
        if "://" in value:
            place.complain(f"'{shown}': files are included from the project only, not from a URL")
            return
        path = place.folder / value
        real = path.resolve()
        if not real.is_relative_to(self.root.resolve()) and not self.allow:
            place.complain(f"'{shown}' lies outside the project: copy it into the project")
        elif not real.is_file():
            place.complain(f"'{shown}': no such file")
        elif real in [one.resolve() for one in place.including] or len(place.including) > _MOST_INCLUDES:
            place.complain(f"'{shown}' includes itself in the end")
        elif option == "--requirement":
            self.read(path, place.including)
        else:
            inner = PipSection(self.root, self.allow)
            inner.read(path, place.including)
            self.constraints.extend(inner.lines)


def _option(text: str) -> tuple[str, str]:
    """Return the long name and the value of an option, however it is written."""
    short = None if text.startswith("--") else re.match(r"(-[a-zA-Z])[\s=]*(?=\S)", text)
    if short is not None:
        option, value = short[1], text[short.end() :]
    else:
        option, _, value = re.sub(r"[=\s]+", " ", text, count=1).partition(" ")
    return _SHORT.get(option, option), value.strip().strip("'\"")


def _wrong_part(found: re.Match[str]) -> str | None:
    """Return the part of a requirement that pip would not take."""
    for one in (found["versions"] or "").split(","):
        if one.strip() and not _SPECIFIER.fullmatch(one.strip()):
            return one.strip()
    if found["marker"]:
        from packaging.markers import InvalidMarker, Marker

        try:
            Marker(found["marker"])
        except InvalidMarker:
            return found["marker"]
    return None


def _advice(text: str) -> str:
    if re.match(r"[\w.-]+=[^=]", text):
        return " (pip writes '==' where conda writes '=')"
    return " (one package a line)" if re.search(r"\w\s+\w", text) else ""


def _refuse(where: str, message: str, *, hint: str | None = None) -> NoReturn:
    raise BadFileError(f"{where}: {message}", hint=hint)
