"""A host of one shell in a folder: our programs go through the real exec line, and are read by the real frame."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.remote import command
from provision.remote.command import compose, quote
from provision.remote.frame import Frame
from provision.remote.sources import source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from provision.model.plan import Program

SHELLS = ("dash", "bash", "busybox")
WITHOUT_TOOLS = ("dash", "bash")
"""Shells that find programs on the PATH alone: busybox has most within itself."""

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, as the frame told it."""

    code: int
    out: bytes
    err: bytes


class HostOfOneShell:
    """A home with awkward characters in its name, a shell, and programs that stand before the machine's own."""

    def __init__(self, folder: Path, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = folder / "home of 'ours' $HOME"
        self.home.mkdir(mode=0o755)
        self.tools = folder / "tools"
        self.tools.mkdir()
        found = shutil.which(shell)
        assert found is not None
        (self.tools / "sh").symlink_to(found)
        self.state = self.home / "state dir"
        monkeypatch.setattr(command, "PREAMBLE", command.PREAMBLE.replace("\nPATH=", f"\nPATH={self.tools}:", 1))
        self.busybox = shell == "busybox"
        self._monkeypatch = monkeypatch
        self.env = {"HOME": str(self.home), "PATH": f"{self.tools}:{os.environ['PATH']}", "LOGNAME": "ubuntu"}
        self.stand_in("sleep", 'case $1 in 0.2) exec /bin/sleep 0.02 ;; *) exec /bin/sleep "$@" ;; esac')

    def stand_in(self, name: str, text: str) -> None:
        """Put a program of a test before the machine's own."""
        path = self.tools / name
        path.write_text(f"#!/bin/dash\n{text}\n")
        path.chmod(0o755)
        if (
            self.busybox and name.isalnum()
        ):  # its shell takes its own programs before those on the PATH, but no function's
            function = f'{name}() {{ {quote(str(path))} "$@"; }}\n'
            self._monkeypatch.setattr(command, "PREAMBLE", command.PREAMBLE + function)

    def only(self, *names: str) -> None:
        """Let no program be found but these."""
        assert not self.busybox, "this shell has the programs within itself"
        for name in names:
            found = shutil.which(name)
            assert found is not None, name
            if not (self.tools / name).exists():
                (self.tools / name).symlink_to(found)
        kept = "".join(f"{line}\n" for line in command.PREAMBLE.splitlines() if not line.startswith("PATH="))
        self._monkeypatch.setattr(command, "PREAMBLE", f"PATH={self.tools}; export PATH\n{kept}")

    def start(self, program: Program) -> tuple[subprocess.Popen[bytes], str]:
        """Start a program as sshd would; its stdin stays open."""
        composed = compose(source(program.script), program.arguments, nonce=secrets.token_hex(16), data=program.data)
        process = subprocess.Popen(
            [str(self.tools / "sh"), "-c", composed.line],
            env=self.env,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            umask=0,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(composed.stdin)
        process.stdin.flush()
        return process, composed.nonce

    def run(self, program: Program, more: bytes = b"") -> Ended:
        """Run a program to its end; `more` follows its data on stdin."""
        process, nonce = self.start(program)
        try:
            out, err = process.communicate(more, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        framed_out, told = unframed(out, nonce)
        framed_err, _ = unframed(err, nonce)
        assert told == process.returncode, err
        return Ended(told, framed_out, framed_err)


def unframed(stream: bytes, nonce: str) -> tuple[bytes, int]:
    """Return a program's own output and the exit code that the frame told."""
    frame = Frame(nonce)
    payload = frame.feed(stream)
    assert frame.exit_code is not None, stream
    return payload, frame.exit_code


def mode(path: Path) -> int:
    """Return a path's permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


def names(folder: Path) -> set[str]:
    """Return what stands in a folder."""
    return {one.name for one in folder.iterdir()}


def eventually(question: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Ask again until it is so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.02)
    return question()
