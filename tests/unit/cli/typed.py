"""`provision` typed as a command: in a pipe, or on a terminal where somebody answers."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
PATIENCE = 60.0


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """How a typed command ended."""

    code: int
    out: str
    err: str

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass
class Desk:
    """A user's machine: a home, a project below it, and nothing of the machine that runs the tests."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True)
        (self.project / ".git").mkdir()
        (self.home / ".ssh").mkdir(mode=0o700)

    @property
    def project(self) -> Path:
        """The project's root."""
        return self.home / "mymodel"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a typed command."""
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "USER": "dev",
            "LOGNAME": "dev",
            "PYTHONPATH": str(REPOSITORY / "src"),
            "PYTHONWARNINGS": "error",
            "LANG": "C.UTF-8",
            **self.env,
        }

    def type(self, *words: str, cwd: Path | None = None, **env: str) -> Answer:
        """Type `provision WORDS...` where nobody can answer questions."""
        done = subprocess.run(
            [sys.executable, "-m", "provision", *words],
            cwd=cwd or self.project,
            env={**self.environment, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def sit(self, *words: str, **env: str) -> Terminal:
        """Type it at a terminal."""
        return Terminal(words, self.project, {**self.environment, "TERM": "dumb", **env})


class Terminal:
    """A command on a terminal of its own; what it prints is awaited, what it asks is answered."""

    def __init__(self, words: tuple[str, ...], cwd: Path, env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.said = ""
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-m", "provision", *words],
                cwd=cwd,
                env=env,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads, one call
            )
        finally:
            os.close(slave)

    def __enter__(self) -> Terminal:  # noqa: PYI034 - Python 3.10 has no Self
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        os.close(self._master)

    @property
    def screen(self) -> int:
        """The descriptor of the terminal's own end."""
        return self._master

    def expect(self, text: str) -> None:
        """Wait until the command has said this since the last expectation."""
        seen = ""
        deadline = time.monotonic() + PATIENCE
        while text not in seen:
            piece = self._read(deadline)
            assert piece, f"it never said {text!r}, but: {self.said}"
            seen += piece

    def answer(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, f"{line}\n".encode())

    def press(self, key: bytes) -> None:
        """Press a key such as Ctrl-C."""
        os.write(self._master, key)

    def end(self) -> int:
        """Wait for the command's end and return its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self._process.wait(timeout=PATIENCE)

    def _read(self, deadline: float) -> str:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._master], [], [], 0.5)
            if not ready:
                continue
            try:
                piece = os.read(self._master, 4096).decode("utf-8", "replace")
            except OSError:  # the far end is closed
                return ""
            self.said += piece
            return piece
        return ""


def decoded(text: str) -> Any:
    """Return the one JSON document of an answer."""
    import json

    return json.loads(text)
