"""The namespaces of the test process itself, so that no packet and no mount of a test reaches the machine."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shutil import which

from tests.lab.syscalls import CLONE_NEWNET, CLONE_NEWNS, MS_PRIVATE, MS_REC, mount, unshare

ADDRESS = "198.18.0.1"
NEEDED = ("ip", "nft", "nsenter", "sshd", "ssh-keygen", "unshare")


@dataclass(slots=True)
class Controller:
    """The laboratory's side of every link: one for each test process."""

    folder: Path
    client_key: Path
    machine_network: Path
    """A path by which nsenter --net finds the machine's own network again."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_number(self) -> int:
        """Return a number that no other link or host of this process has had."""
        with self._lock:
            return next(self._numbers)


def why_not() -> str | None:
    """Return the reason why no laboratory can be made here, or None."""
    if sys.platform != "linux":
        return "the laboratory needs Linux"
    if os.geteuid() != 0:
        return "the laboratory needs root"
    missing = [name for name in NEEDED if which(name) is None]
    return f"the laboratory needs {', '.join(missing)} on the PATH" if missing else None


@cache
def enter_laboratory() -> Controller:
    """Move this process into network and mount namespaces of its own, once; call it on the main thread.

    Everything the process starts later, on any thread started later, lives there too. The folder of the
    hosts' disks is a tmpfs that only these namespaces see, so it ends with them.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("enter_laboratory must be called on the main thread")
    outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    unshare(CLONE_NEWNET | CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    folder = Path("/srv")
    mount("lab", folder, "tmpfs", options="mode=755")
    for setting, value in (("ip_forward", "1"), ("conf/all/rp_filter", "0"), ("conf/default/rp_filter", "0")):
        Path("/proc/sys/net/ipv4", setting).write_text(value)
    batch = f"link set lo up\naddr add {ADDRESS}/32 dev lo\n"
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
    key = folder / "client_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab-client", "-f", str(key)], check=True)
    return Controller(folder, key, Path(f"/proc/{os.getpid()}/fd/{outside}"))
