"""Looking into a running host without ssh: its processes, and commands run there by nsenter."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.furnish import USER_ID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd=/")


@dataclass(frozen=True, slots=True)
class Process:
    """One process inside a host."""

    pid: int
    """As the host numbers it."""
    uid: int
    command: str


def command_inside(init: int, command: Sequence[str] | str, user: str) -> list[str]:
    """Return the command line that runs `command` (a string by sh) as `user` in the host of `init`."""
    words = ["sh", "-c", command] if isinstance(command, str) else list(command)
    number, home = ("0", "/root") if user == "root" else (str(USER_ID), f"/home/{user}")
    become = ["setpriv", f"--reuid={number}", f"--regid={number}", "--init-groups"]
    clean = ["env", "-i", f"PATH={PATH}", f"HOME={home}", f"USER={user}", "LANG=C.UTF-8", f"--chdir={home}"]
    return ["nsenter", f"--target={init}", *NAMESPACES, *become, *clean, *words]


def answer_of(
    command: list[str], *, check: bool = False, stdin: str = "", timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `command` here and return its answer; bytes that are no text are kept as surrogates."""
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=check,
        timeout=timeout,
    )


def processes_inside(root: Path) -> list[Process]:
    """Return every process that the host sees in its /proc, kernel threads and zombies left out."""
    found = []
    for folder in (root / "proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            uid = folder.stat().st_uid
        except OSError:
            continue  # it has ended meanwhile
        command = b" ".join(words).decode(errors="replace").strip()
        if command:
            found.append(Process(int(folder.name), uid, command))
    return sorted(found, key=lambda process: process.pid)
