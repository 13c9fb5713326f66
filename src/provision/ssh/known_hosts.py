"""The user's known_hosts files, read as sshd(8) describes them and never written."""

from __future__ import annotations

import base64
import binascii
import hashlib
import heapq
import hmac
import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provision.ssh.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPPORTED = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Host key types that we can ask a server for, as they stand in known_hosts."""

_SHOWN_BAD_LINES = 5
_SPACE = rb"[ \t\r]"
# A line needs a closer look for its own sake when it has a marker, a hash, a wildcard or a negation.
_SPECIAL = re.compile(rb"^(?!\|1\|)[ \t]*(?:@|[^ \t\n#]*[|*?!])[^\n]*", re.MULTILINE)
_HASHED = re.compile(rb"^(\|1\|[^ \t\n]*)[^\n]*", re.MULTILINE)
_BAD = re.compile(
    rb"^(?!" + _SPACE + rb"*(?:#|$))"
    rb"(?!" + _SPACE + rb"*(?:@(?:revoked|cert-authority)[ \t]+)?[^@ \t\r\n][^ \t\r\n]*[ \t]+"
    rb"[a-z][^ \t\r\n]*[ \t]+[A-Za-z0-9+/]+=*(?:" + _SPACE + rb"|$))[^\n]*",
    re.MULTILINE,
)


class _BadLineError(ValueError):
    """A line that cannot be taken, with the reason."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key: its type and its blob in base64, as one word of known_hosts."""

    type: str
    blob: str

    @classmethod
    def of(cls, name: str, raw: bytes) -> HostKey:
        """Return the key of that type name with that binary blob."""
        return cls(name, base64.b64encode(raw).decode())

    @property
    def fingerprint(self) -> str:
        """The fingerprint that ``ssh-keygen -l`` prints: ``SHA256:`` and 43 characters."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def family(self) -> str:
        """The kind of key without its size: ``ed25519``, ``ecdsa``, ``rsa``, else the type itself."""
        for family in ("ed25519", "ecdsa", "rsa"):
            if family in self.type:
                return family
        return self.type

    def __str__(self) -> str:
        return f"{self.family} {self.fingerprint}"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key and the line that it was read from."""

    key: HostKey
    where: str


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What the user's files say about one address."""

    keys: tuple[KnownKey, ...] = ()
    revoked: tuple[KnownKey, ...] = ()
    strict: bool = False
    """A line about this host could not be honoured, so that an unknown key is not accepted at first sight."""
    notes: tuple[str, ...] = ()

    def revoked_only(self) -> KnownKeys:
        """Return only the revocations, for a host whose identity is not its address."""
        return KnownKeys(revoked=self.revoked)


@dataclass(slots=True)
class _Answer:
    keys: list[KnownKey] = field(default_factory=list)
    revoked: list[KnownKey] = field(default_factory=list)
    strict: bool = False
    notes: list[str] = field(default_factory=list)


SYSTEM_FILES = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
"""Read whatever files the user names."""


def default_files() -> tuple[Path, ...]:
    """Return the files that ssh reads unless its configuration says otherwise."""
    home = Path.home() / ".ssh"
    return (
        home / "known_hosts",
        home / "known_hosts2",
        *SYSTEM_FILES,
    )


class KnownHosts:
    """Answers what the user's known_hosts files say; each file is read once."""

    def __init__(self, files: tuple[Path, ...] | None = None) -> None:
        self._files = tuple(_File(path) for path in (default_files() if files is None else files))

    def lookup(self, address: str, port: int = 22) -> KnownKeys:
        """Return every key, revocation and remark that concerns that address.

        A host behind a HostKeyAlias is looked up by the alias, with the default port.
        """
        answer = _Answer()
        for file in self._files:
            file.look_up(address.lower().encode(), port, answer)
        return KnownKeys(tuple(answer.keys), tuple(answer.revoked), answer.strict, tuple(answer.notes))


class _File:
    """One known_hosts file, held as bytes: a million lines are searched, not parsed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._data: bytes | None = None
        self._problem: str | None = None
        self._bad: tuple[str, ...] = ()

    def look_up(self, address: bytes, port: int, answer: _Answer) -> None:
        data = self._load()
        if self._problem is not None:
            answer.notes.append(self._problem)
            answer.strict = True
        answer.notes.extend(self._bad)
        name = address if port == 22 else b"[%s]:%d" % (address, port)  # noqa: PLR2004 (ssh's own port)
        number, counted, bad = 1, 0, 0
        for start, line in _candidates(data, name):
            # Counted on from the line before: from the beginning each time it would be quadratic.
            number += data.count(b"\n", counted, start)
            counted = start
            where = f"{self._path}:{number}"
            try:
                _judge_line(line, name, address, where, answer)
            except _BadLineError as error:
                bad += 1
                if bad <= _SHOWN_BAD_LINES:
                    answer.notes.append(f"{where}: {error}; the line is ignored")
                # A revocation that cannot be read may be of any key.
                answer.strict = answer.strict or line.lstrip().startswith(b"@revoked")
        if bad > _SHOWN_BAD_LINES:
            answer.notes.append(f"{self._path}: {bad - _SHOWN_BAD_LINES} more such lines are ignored")

    def _where(self, data: bytes, start: int) -> str:
        number = data.count(b"\n", 0, start) + 1
        return f"{self._path}:{number}"

    def _load(self) -> bytes:
        with self._lock:
            if self._data is None:
                self._data = self._read()
                self._bad = self._complaints(self._data)
            return self._data

    def _read(self) -> bytes:
        try:
            data, _ = read_regular(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            if str(self._path) != os.devnull:
                self._problem = f"{self._path} cannot be read ({error.strerror}): unknown host keys are not accepted"
            return b""
        return data.removeprefix(b"\xef\xbb\xbf")

    def _complaints(self, data: bytes) -> tuple[str, ...]:
        starts = [found.start() for found in _BAD.finditer(data)]
        shown = [
            f"{self._where(data, start)}: not a known_hosts line; it is ignored" for start in starts[:_SHOWN_BAD_LINES]
        ]
        if len(starts) > _SHOWN_BAD_LINES:
            shown.append(f"{self._path}: {len(starts) - _SHOWN_BAD_LINES} more lines are ignored")
        return tuple(shown)


def _candidates(data: bytes, name: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line) of the lines that may concern that name, in the file's order."""
    plain = re.compile(
        rb"^[ \t]*(?:[^ \t\n#|@*?!]*,)?" + re.escape(name) + rb"[, \t][^\n]*", re.MULTILINE | re.IGNORECASE
    )
    found = ((one.start(), one[0]) for one in plain.finditer(data) if not _SPECIAL.match(one[0]))
    special = ((one.start(), one[0]) for one in _SPECIAL.finditer(data))
    hashed = ((one.start(), one[0]) for one in _HASHED.finditer(data) if _hash_may_match(one[1], name))
    return heapq.merge(found, special, hashed)


def _judge_line(line: bytes, name: bytes, address: bytes, where: str, answer: _Answer) -> None:
    words = line.split(None, 4)
    marker = words.pop(0) if words and words[0].startswith(b"@") else b""
    if len(words) < 3 or marker not in (b"", b"@revoked", b"@cert-authority"):  # noqa: PLR2004
        return  # already complained about, once for the file
    if marker == b"@revoked":
        # A revocation is taken in its widest sense: for the address on any port.
        if _matches(words[0], name) or _matches(words[0], address):
            answer.revoked.append(KnownKey(_key(words[1], words[2]), where))
        return
    matched = _matches(words[0], name)
    if matched is None:
        answer.strict = True
        answer.notes.append(f"{where} excludes this host: an unknown key is not accepted")
    elif matched and marker:
        answer.strict = True
        answer.notes.append(f"{where}: @cert-authority is not supported: an unknown key is not accepted")
    elif matched:
        key = _key(words[1], words[2])
        if key.type in SUPPORTED:
            answer.keys.append(KnownKey(key, where))
        else:
            answer.strict = True
            answer.notes.append(f"{where}: {key.type} keys are not supported: an unknown key is not accepted")


def _matches(patterns: bytes, name: bytes) -> bool | None:
    """Return whether the host field names that host; ``None`` where a negated pattern excludes it."""
    if patterns.startswith(b"|"):
        return _hash_matches(patterns, name)
    matched = False
    for pattern in patterns.lower().split(b","):
        negated = pattern.startswith(b"!")
        if glob_matches(pattern[1:] if negated else pattern, name):
            if negated:
                return None
            matched = True
    return matched


def glob_matches(pattern: bytes, name: bytes) -> bool:
    """Return whether a pattern of ssh, with ``*`` and ``?``, names that host."""
    # Brackets are ordinary here ([host]:port), so fnmatch would be wrong.
    if b"*" not in pattern and b"?" not in pattern:
        return pattern == name
    squeezed = re.sub(rb"\*+", b"*", pattern)
    return _walk(squeezed, name)


def _walk(pattern: bytes, name: bytes) -> bool:
    """Match ``*`` and ``?`` in linear memory and quadratic time, whatever the pattern."""
    here, there, star, mark = 0, 0, -1, 0
    while there < len(name):
        if here < len(pattern) and pattern[here : here + 1] == b"*":
            star, mark = here, there
            here += 1
        elif here < len(pattern) and pattern[here : here + 1] in (b"?", name[there : there + 1]):
            here += 1
            there += 1
        elif star >= 0:
            here = star + 1
            mark += 1
            there = mark
        else:
            return False
    return pattern[here:].strip(b"*") == b""


def _hash_may_match(text: bytes, name: bytes) -> bool:
    """Tell a hashed name of another host, of which there may be a million, from all that needs a closer look."""
    try:
        _, _, salt, digest = text.split(b"|")
        return hmac.digest(binascii.a2b_base64(salt), name, "sha1") == binascii.a2b_base64(digest)
    except ValueError:
        return True


def _hash_matches(text: bytes, name: bytes) -> bool:
    parts = text.split(b"|")
    if len(parts) != 4 or parts[1] != b"1":  # noqa: PLR2004 (|1|salt|hash)
        raise _BadLineError("unknown kind of hashed host name")
    try:
        salt, digest = binascii.a2b_base64(parts[2]), binascii.a2b_base64(parts[3])
    except binascii.Error as error:
        raise _BadLineError(f"hashed host name is damaged ({error})") from None
    return hmac.digest(salt, name, "sha1") == digest


def _key(kind: bytes, blob: bytes) -> HostKey:
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise _BadLineError(f"the key is damaged ({error})") from None
    length = int.from_bytes(raw[:4], "big")
    if len(raw) <= length + 4 or raw[4 : 4 + length] != kind:
        raise _BadLineError("the key is not of the type that the line says")
    return HostKey.of(kind.decode("ascii", "replace"), raw)
