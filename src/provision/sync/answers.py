"""What a host answers, read with distrust: shapes, bounds and text are checked before anything is believed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.sync.manifest import check_path
from provision.sync.wire import PROTOCOL, WireError, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANGES = frozenset({"content", "missing", "mode", "type"})
LONGEST_TEXT = 2000
"""Characters that are shown of what a host says."""
LARGEST = 1 << 60
"""No disk has so many bytes, no file system so many files."""
MOST_TOP = 1000

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose tree it is, as the host has it recorded."""

    client: str
    root: str
    who: str
    commit: str | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the host has."""

    tree: str
    """The absolute path."""
    id: str
    """The digest of the manifest that syncs left there; empty where no sync ever was."""
    owner: Owner | None
    codecs: tuple[str, ...]
    free_bytes: int | None
    free_files: int | None
    """Inodes; ``None`` where the file system has no such limit."""
    changed: Mapping[bytes, str]
    """Entries of that manifest which are not as it says: ``content``, ``missing``, ``mode`` or ``type``."""
    partial: Mapping[str, int]
    """Bytes of big files that an earlier, broken sync brought, by the sha256 of the whole."""
    staged: int
    """Files that an earlier, broken sync brought whole."""
    top: tuple[bytes, ...]
    """Names at the tree's top, where no sync ever was."""
    rolled_forward: bool
    """An earlier sync was interrupted while it placed its files; that was brought to its end first."""
    kept: tuple[tuple[str, str], ...] = ()
    """What was kept aside at that."""
    recovering: bool = False
    """The list of what syncs put there is lost, and its record says that they were this project's."""


@dataclass(frozen=True, slots=True)
class Phase:
    """How far the host is."""

    phase: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Placed:
    """The tree is in place."""

    id: str
    kept: tuple[tuple[str, str], ...]
    placed: int
    removed: int
    adopted: int
    resumed: int
    left: int
    """Of what was to be removed, what stays, as no sync had put it there."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a delta that was only tried would meet."""

    aside: tuple[bytes, ...]
    """What stands where something of ours must go, and would be kept aside."""
    left: tuple[bytes, ...]
    """Of what would be removed, what stays, as no sync had put it there."""
    adopted: int
    """Files that no sync put there, and that are already what would be sent."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the host stopped; the old tree is as it was."""

    kind: str
    message: str
    hint: str | None


def answer_of(payload: bytes) -> Answer:
    """Read an ``A`` message; raises `WireError`."""
    value = read_json(payload)
    if value.get("protocol") != PROTOCOL:
        raise WireError("another protocol")
    return Answer(
        tree=_absolute(value),
        id=_id(value, empty=True),
        owner=_owner(value.get("owner")),
        codecs=tuple(_texts(value, "codecs", 10)),
        free_bytes=_free(value, "free_bytes"),
        free_files=_free(value, "free_files"),
        changed=_changed(value.get("changed", {})),
        partial=_partial(value.get("partial", {})),
        staged=_number(value.get("staged", 0)),
        top=tuple(_bytes(one) for one in _texts(value, "top", MOST_TOP)),
        rolled_forward=value.get("rolled_forward") is True,
        kept=_kept(value),
        recovering=value.get("recovering") is True,
    )


def phase_of(payload: bytes) -> Phase:
    """Read a ``P`` message; raises `WireError`."""
    value = read_json(payload)
    return Phase(
        printable(_text(value.get("phase")), 20), _number(value.get("files", 0)), _number(value.get("bytes", 0))
    )


def placed_of(payload: bytes) -> Placed:
    """Read an ``R`` message; raises `WireError`."""
    value = read_json(payload)
    return Placed(
        _id(value, empty=False),
        _kept(value),
        *(_number(value.get(name, 0)) for name in ("placed", "removed", "adopted", "resumed", "left")),
    )


def foreseen_of(payload: bytes) -> Foreseen:
    """Read an ``F`` message; raises `WireError`."""
    value = read_json(payload)
    lists = [value.get(name) for name in ("aside", "left")]
    if not all(isinstance(one, list) for one in lists):
        raise WireError("not a list of what would make way")
    aside, left = (tuple(_bytes(_text(one)) for one in names or ()) for names in lists)
    return Foreseen(aside, left, _number(value.get("adopted")))


def refusal_of(payload: bytes) -> Refusal:
    """Read an ``E`` message; raises `WireError`."""
    value = read_json(payload)
    hint = value.get("hint")
    return Refusal(
        printable(_text(value.get("kind")), 40),
        printable(_text(value.get("message"))),
        printable(hint) if isinstance(hint, str) and hint else None,
    )


def printable(text: str, most: int = LONGEST_TEXT) -> str:
    """Return a host's text as one line that no terminal takes for a command."""
    cut = text[:most]
    return "".join(one if one.isprintable() else _escaped(one) for one in cut) + ("..." if len(text) > most else "")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise WireError("a text was expected")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise WireError("a number was expected")
    return value


def _free(value: dict[str, Any], name: str) -> int | None:
    number = value.get(name)
    return None if number is None or number == -1 else _number(number)


def _texts(value: dict[str, Any], name: str, most: int) -> list[str]:
    texts = value.get(name) or []
    if not isinstance(texts, list) or len(texts) > most:
        raise WireError(f"{name}: a short list was expected")
    return [_text(one) for one in texts]


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise WireError("a name that is none") from error


def _absolute(value: dict[str, Any]) -> str:
    tree = _text(value.get("tree"))
    if not tree.startswith("/") or len(tree) > 4096 or "\0" in tree:  # noqa: PLR2004 - PATH_MAX
        raise WireError("the tree has no absolute path")
    return tree


def _id(value: dict[str, Any], *, empty: bool) -> str:
    text = _text(value.get("id"))
    if not (_HEX.fullmatch(text) or (empty and not text)):
        raise WireError("an id that is none")
    return text


def _owner(value: object) -> Owner | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise WireError("an owner that is none")
    whose = [printable(_text(value.get(name, "")), 300) for name in ("client", "root", "who")]
    where = [None if value.get(name) is None else printable(_text(value[name]), 300) for name in ("commit", "branch")]
    return Owner(*whose, *where)


def _kept(value: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    kept = value.get("kept") or []
    if not isinstance(kept, list) or not all(isinstance(one, list) and len(one) == 2 for one in kept):  # noqa: PLR2004 - path and place
        raise WireError("not a list of what was kept")
    return tuple((_text(path), _text(where)) for path, where in kept)


def _changed(value: object) -> dict[bytes, str]:
    if not isinstance(value, dict):
        raise WireError("not a table of what changed")
    changed = {}
    for name, how in value.items():
        path = _bytes(name)
        try:
            check_path(path)
        except ValueError as error:
            raise WireError(str(error)) from error
        if not isinstance(how, str) or how not in CHANGES:
            raise WireError("a change of no known kind")
        changed[path] = how
    return changed


def _partial(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not all(_HEX.fullmatch(one) for one in value):
        raise WireError("not a table of what is there in part")
    return {name: _number(size) for name, size in value.items()}
