"""The first process of a host: mounts its world, starts sshd, reaps orphans, ends when its laboratory does.

Run as `unshare --fork --kill-child ... python -m tests.lab.init SETTINGS`. Standard input is the lifeline: at
its end the host ends, whatever became of the process that held the other side. A line on it restarts sshd.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

from tests.lab.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    mount,
    pivot_root,
    set_process_name,
)

DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
SSHD = "/usr/sbin/sshd"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Settings(NamedTuple):
    """What the laboratory tells the host's first process."""

    folder: str
    hostname: str
    boot_id: str
    shm_size: int | None
    home: str | None
    binds: list[list[str]]
    noexec_tmp: bool
    systemd: bool


def mount_root(folder: Path) -> Path:
    """Mount the overlay of the machine's root and the host's disk."""
    root = folder / "root"
    layers = f"lowerdir=/,upperdir={folder}/disk/upper,workdir={folder}/disk/work,index=off,metacopy=off"
    mount("lab-root", root, "overlay", options=layers)
    return root


def bind(source: str, target: Path, *, writable: bool = False) -> None:
    """Show the file or folder `source` at `target`."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir() if Path(source).is_dir() else target.touch()
    mount(source, target, flags=MS_BIND | MS_REC)
    if not writable:
        mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def mount_shared(root: Path, settings: Settings) -> None:
    """Mount what plain and systemd hosts have alike: the separate home and the read-only binds."""
    if settings.home is not None:
        bind(f"{settings.folder}/home", root / settings.home.lstrip("/"), writable=True)
    for source, target in settings.binds:
        bind(source, root / target.lstrip("/"))


def mount_kernel(root: Path, settings: Settings) -> None:
    """Mount /proc, /sys, /dev, /run and the files of their own that say which boot this is."""
    mount("proc", root / "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("sysfs", root / "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY)
    if Path("/sys/fs/cgroup").is_dir():
        mount("/sys/fs/cgroup", root / "sys/fs/cgroup", flags=MS_BIND | MS_REC)
    mount("run", root / "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    if settings.noexec_tmp:
        mount("tmp", root / "tmp", "tmpfs", MS_NOEXEC, "mode=1777")
    devices = root / "dev"
    mount("dev", devices, "tmpfs", MS_NOSUID, "mode=755")
    for name, (major, minor) in DEVICES.items():
        os.mknod(devices / name, 0o020666, os.makedev(major, minor))
        (devices / name).chmod(0o666)
    for name, destination in LINKS.items():
        (devices / name).symlink_to(destination)
    for name in ("pts", "shm"):
        (devices / name).mkdir()
    mount("devpts", devices / "pts", "devpts", options="newinstance,ptmxmode=0666,mode=620,gid=5")
    size = f",size={settings.shm_size}" if settings.shm_size else ""
    mount("shm", devices / "shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777" + size)
    boot_id = Path(settings.folder, "boot_id")
    boot_id.write_text(settings.boot_id + "\n")
    mount(str(boot_id), root / "proc/sys/kernel/random/boot_id", flags=MS_BIND)
    mount("none", root / "proc/sys/kernel/random/boot_id", flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def start(program: list[str], log: int) -> int:
    """Start `program` with nothing on its input and `log` as its output; return its process id."""
    child = os.fork()
    if child == 0:
        become(program, log)
    return child


def become(program: list[str], log: int) -> NoReturn:
    """Replace this process by `program`."""
    null = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((null, log, log)):
        os.dup2(source, number)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.execve(program[0], program, ENVIRONMENT)  # noqa: S606 - an init has no shell to start programs with


def reap() -> None:
    """Collect every child that has ended, adopted ones too."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def serve_until_the_laboratory_ends(program: list[str], log: int) -> None:
    """Keep the host alive: reap, start sshd again on request, return at the end of the lifeline."""
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake.fileno())
    start(program, log)
    while True:
        ready, _, _ = select.select([0, woken.fileno()], [], [])
        if woken.fileno() in ready:
            woken.recv(4096)
            reap()
        if 0 in ready:
            order = os.read(0, 64)
            if not order:
                return
            start(program, log)


def main() -> None:
    """Run one host."""
    settings = Settings(**json.loads(sys.argv[1]))
    folder = Path(settings.folder)
    log = os.open(folder / "sshd.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    socket.sethostname(settings.hostname)
    root = mount_root(folder)
    mount_shared(root, settings)
    mount_kernel(root, settings)
    pivot_root(root)
    Path("/run/sshd").mkdir(mode=0o755)
    Path("/run/lock").mkdir(mode=0o1777)
    set_process_name("init")
    os.umask(0o022)
    print("up", flush=True)
    serve_until_the_laboratory_ends([SSHD, "-D", "-e"], log)


if __name__ == "__main__":
    main()
