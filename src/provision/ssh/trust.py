"""Our own store of host keys: one pin for each (inventory name, instance or address and port)."""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.errors import HostKeyError, UsageError
from provision.ssh.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.ssh.known_hosts import HostKey

_FORMAT = 1
_LOCK_SECONDS = 10.0
_SHA256_BYTES = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """What a pin belongs to: the inventory's name, and the machine that it means."""

    name: str
    endpoint: str

    @classmethod
    def of(cls, name: str, address: str, port: int = 22, instance: str | None = None) -> Identity:
        """Return the identity of a host; an instance id, where there is one, outlives its address."""
        if instance is not None:
            return cls(name, f"instance {instance}")
        return cls(name, f"[{address}]:{port}" if ":" in address else f"{address}:{port}")


@dataclass(frozen=True, slots=True)
class Pin:
    """A key that a machine must show; its type and blob are unknown where only a fingerprint was given."""

    name: str
    endpoint: str
    fingerprint: str
    type: str | None
    blob: str | None
    added: str
    """When, in UTC, for people to read: ``2026-03-01T12:00:00Z``."""
    why: str
    """``first contact``, ``trusted by hand`` or ``pinned in the inventory``."""

    @property
    def identity(self) -> Identity:
        """The machine that the pin belongs to."""
        return Identity(self.name, self.endpoint)

    def matches(self, key: HostKey) -> bool:
        """Whether that key is the pinned one."""
        return key.fingerprint == self.fingerprint

    def __str__(self) -> str:
        return f"{self.fingerprint} ({self.why}, {self.added})"


def fingerprint_of(text: str) -> str:
    """Return a fingerprint as we write it, without padding.

    Raises:
        UsageError: The text is not a SHA256 fingerprint.
    """
    scheme, _, digest = text.strip().partition(":")
    digest = digest.rstrip("=")
    try:
        raw = base64.b64decode(digest + "=", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if scheme.upper() != "SHA256" or len(raw) != _SHA256_BYTES:
        raise UsageError(
            f"{text!r} is not a host key fingerprint: expected SHA256: and 43 characters",
            hint="on the machine itself: ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub",
        )
    return f"SHA256:{digest}"


def default_path() -> Path:
    """Return where the store lies: below the XDG state folder."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "provision" / "known_hosts.json"


class TrustStore:
    """The pins of every machine, in one private file that is replaced as a whole under a lock.

    Every method raises HostKeyError where the file is damaged or cannot be used: a store that cannot be read
    is never taken for an empty one.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_path() if path is None else path

    def pins(self, identity: Identity) -> tuple[Pin, ...]:
        """Return the keys that the machine may show; empty before the first contact."""
        return tuple(pin for pin in self._read() if pin.identity == identity)

    def elsewhere(self, identity: Identity) -> tuple[Pin, ...]:
        """Return the pins of the same name for other machines: its address in hosts.yaml was edited."""
        return tuple(pin for pin in self._read() if pin.name == identity.name and pin.identity != identity)

    def record(self, identity: Identity, key: HostKey, *, pinned: bool = False) -> tuple[Pin, ...]:
        """Pin the key of a machine that has none, or complete a pin that is a bare fingerprint.

        Args:
            identity: The machine.
            key: What it showed.
            pinned: The inventory names this key: it replaces what was recorded before.

        Returns:
            The pins that hold from now on: another process may have been first, with another key.
        """
        with self._locked():
            pins = self._read()
            mine = [pin for pin in pins if pin.identity == identity]
            known = next((pin for pin in mine if pin.matches(key)), None)
            if known is not None and known.blob is None:
                full = replace(known, type=key.type, blob=key.blob)
                self._write([full if pin is known else pin for pin in pins])
                return tuple(full if pin is known else pin for pin in mine)
            if known is not None or (mine and not pinned):
                return tuple(mine)
            pin = _pin(identity, key.fingerprint, "pinned in the inventory" if pinned else "first contact", key)
            self._write([*(one for one in pins if one.identity != identity), pin])
            return (pin,)

    def trust(self, identity: Identity, fingerprint: str) -> tuple[Pin, ...]:
        """Make that fingerprint the only pin of a machine, by the user's word; return those it replaces."""
        pin = _pin(identity, fingerprint_of(fingerprint), "trusted by hand", None)
        with self._locked():
            pins = self._read()
            self._write([*(one for one in pins if one.identity != identity), pin])
        return tuple(one for one in pins if one.identity == identity)

    def _read(self) -> list[Pin]:
        try:
            text, state = read_regular(self.path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(f"cannot be read ({error.strerror})") from None
        if state.st_mode & 0o022:
            raise HostKeyError(
                f"{self.path} can be written by other users, so the host keys in it prove nothing",
                hint=f"look through it, then: chmod 600 {self.path}",
            )
        return self._decode(text)

    def _decode(self, text: bytes) -> list[Pin]:
        try:
            document = json.loads(text)
            if document["format"] > _FORMAT:
                raise HostKeyError(
                    f"{self.path} was written by a newer provision (format {document['format']})",
                    hint="update provision on this machine",
                )
            return [_decode_pin(entry) for entry in document["pins"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._unusable(f"is damaged ({error})") from None

    def _unusable(self, what: str) -> HostKeyError:
        return HostKeyError(
            f"{self.path} {what}: without it no host can be told from an impostor",
            hint=f"restore it from a backup; or, to pin every host anew: mv {self.path} {self.path}.bad",
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = self._open_lock()
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._wait(handle)
            yield
        finally:
            os.close(handle)

    def _open_lock(self) -> int:
        folder = self.path.parent
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)  # mkdir's own mode obeys the umask
        elif folder.stat().st_mode & 0o022 and folder.stat().st_uid == os.geteuid():
            folder.chmod(0o700)
        handle = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchmod(handle, 0o600)
        return handle

    def _wait(self, handle: int) -> None:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise HostKeyError(
                        f"{self.path}.lock was held for {_LOCK_SECONDS:.0f} s: the host key is not recorded",
                        hint="another provision may be stopped in the middle; end it and try again",
                    ) from None
                time.sleep(0.005)
            else:
                return

    def _write(self, pins: list[Pin]) -> None:
        # A rename would replace a link, and with it the user's choice of where the file lies.
        target = Path(os.path.realpath(self.path))
        document = {"format": _FORMAT, "pins": [asdict(pin) for pin in pins]}
        try:
            handle, name = tempfile.mkstemp(prefix=".known_hosts-", dir=target.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump(document, stream, indent=1)
                    stream.write("\n")
                    stream.flush()
                    os.fchmod(stream.fileno(), 0o600)
                    os.fsync(stream.fileno())
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            _sync_folder(target.parent)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> HostKeyError:
        return HostKeyError(
            f"{self.path} cannot be written ({error.strerror}), so the host key cannot be recorded",
            hint="free space or correct its permissions; XDG_STATE_HOME chooses another folder",
        )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pin(identity: Identity, fingerprint: str, why: str, key: HostKey | None) -> Pin:
    return Pin(
        name=identity.name,
        endpoint=identity.endpoint,
        fingerprint=fingerprint,
        type=key.type if key else None,
        blob=key.blob if key else None,
        added=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        why=why,
    )


def _decode_pin(entry: dict[str, Any]) -> Pin:
    pin = Pin(**{name: entry[name] for name in Pin.__dataclass_fields__})
    for name in ("name", "endpoint", "fingerprint", "added", "why"):
        if not isinstance(entry[name], str):
            raise TypeError(f"{name} is not text")
    for value in (pin.type, pin.blob):
        if not isinstance(value, (str, type(None))):
            raise TypeError("a key is not text")
    return pin
