"""Checksums of installers that were pinned at first use, in a file beside the playbook, to be committed."""

from __future__ import annotations

import json
import os
import secrets
import threading
from typing import TYPE_CHECKING

from provision.decode.document import read_bytes
from provision.errors import BadFileError, StepFailedError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "installers.pinned.json"


class PinFile:
    """File name to sha256; written by rename."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()
        self._pins: dict[str, str] | None = None

    def find(self, file_name: str) -> str | None:
        """Return the checksum that the first use found.

        Raises:
            BadFileError: the file is there and cannot be read.
        """
        with self._lock:
            return self._read().get(file_name)

    def remember(self, file_name: str, sha256: str) -> None:
        """Keep it.

        Raises:
            StepFailedError: another host's first use found something else.
            BadFileError: the file cannot be written.
        """
        with self._lock:
            pins = self._read()
            before = pins.get(file_name, sha256)
            if before != sha256:
                raise StepFailedError(
                    f"{file_name}: its sha256 is {sha256}, and another host of this run was just given {before}",
                    hint="a mirror or the network changed it for one of them; nothing of it was run",
                )
            pins[file_name] = sha256
            text = json.dumps(dict(sorted(pins.items())), indent=2) + "\n"
            part = self._path.with_suffix(f".{secrets.token_hex(4)}.new")
            try:
                # The folder may come from a stranger's repository: a link that waits there must not lead us elsewhere.
                with part.open("x", encoding="utf-8") as file:
                    file.write(text)
                part.replace(self._path)
            except OSError as error:
                part.unlink(missing_ok=True)
                raise BadFileError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _read(self) -> dict[str, str]:
        if self._pins is None:
            data = read_bytes(self._path) if os.path.lexists(self._path) else b"{}"
            try:
                read = json.loads(data.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                raise BadFileError(
                    f"{self._path}: not JSON: {error}", hint="restore it from your repository"
                ) from error
            if not isinstance(read, dict) or not all(isinstance(one, str) for one in read.values()):
                raise BadFileError(f"{self._path}: expected file names with their sha256")
            self._pins = read
        return self._pins
