"""The processes of the embedded host: started, waited for, and all of them ended with it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2), Linux 3.4: orphans below this process become its children, whatever sessions they made."""
IDLE = 0.05
"""Seconds between looks for a first child."""
END_LIMIT = 10.0


class Children:
    """All processes below this one; one thread waits for them, adopted orphans included.

    Nobody else in the process may wait for a child.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._codes: dict[int, int | None] = {}
        self._adopts = adopt_orphans()
        self._ending = False
        threading.Thread(target=self._reap, name="demo-reaper", daemon=True).start()

    def start(self, words: list[bytes | str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, with three pipes.

        Raises:
            OSError: it cannot be started, or all is being ended.
        """
        # Under the lock: the reaper must not see the end of a process that is not registered yet.
        with self._lock:
            if self._ending:
                raise ProcessLookupError
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
            self._codes[process.pid] = None
        return process

    def code(self, process: subprocess.Popen[bytes], *, wait: bool) -> int | None:
        """Return the exit code, the negative signal number, or ``None`` while it runs; known until it was told."""
        with self._lock:
            while wait and self._codes.get(process.pid, 0) is None:
                self._lock.wait(1.0)
            code = self._codes.get(process.pid)
            if code is not None:
                process.returncode = code
                del self._codes[process.pid]
            return code

    def end_all(self) -> None:
        """Kill whatever still runs; those that left their session too, where the system lets us adopt them."""
        with self._lock:
            self._ending = True
        deadline = time.monotonic() + END_LIMIT
        while time.monotonic() < deadline:
            running = descendants(os.getpid()) if self._adopts else self._registered()
            if not running:
                return
            for pid in running:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(IDLE)

    def _registered(self) -> list[int]:
        with self._lock:
            return [pid for pid, code in self._codes.items() if code is None]

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(IDLE)
                continue
            with self._lock:
                if pid in self._codes:
                    self._codes[pid] = os.waitstatus_to_exitcode(status)
                    self._lock.notify_all()


def adopt_orphans() -> bool:
    """Make this process the parent of every orphan below it; return whether the system can do that."""
    if sys.platform != "linux":
        return False
    failed: int = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return failed == 0


def descendants(root: int) -> list[int]:
    """Return the processes below one, zombies left out (Linux)."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # pid (name) state parent ...: the name may hold spaces and brackets
                state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    found: list[int] = []
    layer = {root}
    while layer:
        layer = {pid for pid, parent in parents.items() if parent in layer}
        found.extend(layer)
    return found
