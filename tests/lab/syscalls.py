"""The few Linux system calls that Python before 3.12 does not offer."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_NAME = 15
PR_SET_TIMERSLACK = 29
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own; threads and children made later inherit them."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, flags: int) -> None:
    """Move the calling thread into the namespace that `descriptor` names."""
    _checked(_libc.setns(descriptor, flags), "setns")


def mount(source: str, target: Path | str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount `source` on `target`; raises OSError naming the target."""
    ctypes.set_errno(0)
    result = _libc.mount(source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(result, f"mount {kind or 'flags'} on {target}")


def unmount(target: Path | str, flags: int = MNT_DETACH) -> None:
    """Unmount `target`, by default lazily, so that an open file cannot keep the call from returning."""
    _checked(_libc.umount2(str(target).encode(), flags), f"unmount {target}")


def pivot_root(new_root: Path | str) -> None:
    """Make `new_root`, a mount point, the root of this mount namespace and detach the old root."""
    os.chdir(new_root)
    _checked(_libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")


def set_process_name(name: str) -> None:
    """Set the name that ps shows for this process (at most 15 bytes)."""
    _checked(_libc.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl")


def set_timer_slack(nanoseconds: int) -> None:
    """Ask the kernel to wake this thread's timers within `nanoseconds` of their time."""
    _checked(_libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(nanoseconds), 0, 0, 0), "prctl")
