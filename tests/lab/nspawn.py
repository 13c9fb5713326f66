"""The supervisor of a host that boots the real systemd: mounts its disk, runs systemd-nspawn, cleans up.

Run as `unshare --fork --kill-child ... python -m tests.lab.nspawn SETTINGS`. Standard input is the lifeline,
as in `tests.lab.init`. systemd wants a control group of its own, which would outlive it: it is removed here.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.lab.init import Settings, mount_root, mount_shared, start
from tests.lab.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, mount, set_process_name

NSPAWN = "/usr/bin/systemd-nspawn"


def command(settings: Settings, root: Path) -> list[str]:
    """Return the systemd-nspawn command line of a host."""
    return [
        NSPAWN,
        "--quiet",
        "--boot",
        f"--directory={root}",
        f"--machine={settings.hostname}",
        "--register=no",
        "--keep-unit",
        "--network-namespace-path=/proc/self/ns/net",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=pipe",
    ]


def control_groups(name: str) -> list[Path]:
    """Return where a control group called `name` goes: below our own, in the hierarchies systemd uses."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for mounted in {"name=systemd": ("systemd",), "": ("unified", "")}.get(controllers, ()):
            base = Path("/sys/fs/cgroup", mounted)
            if (base / "cgroup.procs").exists():
                found.append(base / path.lstrip("/") / name)
                break
    return found


def remove_groups(groups: list[Path]) -> None:
    """Remove the control groups, deepest first; the kernel may need a moment after the last process."""
    for group in groups:
        for _ in range(100):
            for folder, _, _ in sorted(os.walk(group), reverse=True):
                with suppress(OSError):
                    Path(folder).rmdir()
            if not group.exists():
                break
            time.sleep(0.01)


def wait_for_either_end(child: int) -> None:
    """Return when systemd has powered off or the laboratory has ended; leave nothing running."""
    lifeline = select.poll()
    lifeline.register(0, select.POLLIN | select.POLLHUP)
    while True:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                if ended == child:
                    return
        if lifeline.poll(50):
            break
    os.kill(-1, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def main() -> None:
    """Run one systemd host."""
    settings = Settings(**json.loads(sys.argv[1]))
    folder = Path(settings.folder)
    log = os.open(folder / "console.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    set_process_name("lab-nspawn")
    root = mount_root(folder)
    mount_shared(root, settings)
    groups = control_groups(f"lab-{settings.boot_id}")
    for group in groups:
        group.mkdir()
        (group / "cgroup.procs").write_text("0")
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    child = start(command(settings, root), log)
    print("up", flush=True)
    wait_for_either_end(child)
    for group in groups:
        with suppress(OSError):
            (group.parent / "cgroup.procs").write_text("0")
    remove_groups(groups)


if __name__ == "__main__":
    main()
