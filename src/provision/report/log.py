"""The log file of a run: every event and every remote command, secrets hidden. It never makes a run fail."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from provision import __version__
from provision.ledger.recorder import current
from provision.report.display import visible
from provision.report.hidden import hidden_texts
from provision.report.log_line import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.events import HostEvent

KEPT = 50
"""Log files; older ones are removed."""
LARGEST = 128 << 20
"""Bytes of one log: a host that prints without end must not fill our disk."""
_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[a-z-]+-\d+\.log")


class RunLog:
    """One run's log; where it cannot be written the run goes on and `problem` says why."""

    def __init__(self, path: Path | None, descriptor: int | None, secrets: Iterable[str], problem: str | None) -> None:
        self.path = path
        """Where it is; ``None`` where none could be made."""
        self.problem = problem
        """Why there is no complete log."""
        self._descriptor = descriptor
        self._size = 0
        self._secrets: tuple[str, ...] = ()
        self.hide(secrets)

    @classmethod
    def open(cls, command: str, argv: Sequence[str], environ: Mapping[str, str], secrets: Iterable[str] = ()) -> RunLog:
        """Begin a log below the XDG state folder; the folder is the user's alone."""
        try:
            folder = logs_folder(environ)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            path, descriptor = _create(folder, command)
            log = cls(path, descriptor, secrets, None)
            _prune(folder)
        except (OSError, RuntimeError) as error:
            return cls(None, None, secrets, f"no log file: {error}")
        log.write(time.time(), "-", f"provision {__version__} {command} {' '.join(argv)}")
        return log

    def hide(self, secrets: Iterable[str]) -> None:
        """Keep these texts, and each long line of one that has several, out of what is written from now on."""
        self._secrets = hidden_texts((*self._secrets, *secrets))
        recorded = current()
        if recorded is not None:
            # What no log may hold, no ledger may.
            recorded.hide(self._secrets)

    def take(self, told: HostEvent) -> None:
        """Write one event."""
        text = text_of(told.event)
        if text:
            self.write(told.at, told.host, text)

    def write(self, at: float, host: str, text: str) -> None:
        """Write one entry: its time, its host, and its lines."""
        if self._descriptor is None:
            return
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"
        head = f"{stamp} {visible(host)} ".replace("\n", "\\n")
        first, *rest = visible(self._redacted(text)).split("\n")
        data = "".join((f"{head}{first}\n", *(f"{head}  | {line}\n" for line in rest))).encode(
            errors="backslashreplace"
        )
        self._size += len(data)
        try:
            if self._size > LARGEST:
                _all(self._descriptor, b"the log ends here: it has become too large\n")
                self.problem = f"the log {self.path} is incomplete: it has become larger than {LARGEST >> 20} MiB"
                self.close()
                return
            _all(self._descriptor, data)
        except OSError as error:
            self.problem = f"the log {self.path} is incomplete: {error.strerror or error}"
            self.close()

    def close(self) -> None:
        """End the log."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            try:
                os.close(descriptor)
            except OSError as error:
                self.problem = f"the log {self.path} is incomplete: {error.strerror or error}"

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def logs_folder(environ: Mapping[str, str]) -> Path:
    """Return ``provision/logs`` below $XDG_STATE_HOME (where that is absolute, as its specification asks)."""
    state = environ.get("XDG_STATE_HOME", "")
    home = Path(environ.get("HOME") or Path.home())
    return (Path(state) if state.startswith("/") else home / ".local" / "state") / "provision" / "logs"


def _create(folder: Path, command: str) -> tuple[Path, int]:
    """Create the file, in the next millisecond where this one's name is taken."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        now = time.time()
        stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
        path = folder / f"{stamp}-{command}-{os.getpid()}.log"
        try:
            return path, os.open(path, flags, 0o600)
        except FileExistsError:
            time.sleep(0.001)


def _prune(folder: Path) -> None:
    logs = sorted(one for one in folder.iterdir() if _NAME.fullmatch(one.name))
    for path in logs[:-KEPT]:
        try:
            path.unlink()
        except OSError:
            pass  # another run removed it first


def _all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
