"""Where the figures come from: without it they mean little."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.installed import Installed

OURS = ("provision-gpu", "paramiko", "fabric", "cryptography", "zstandard")
PEERS = ("pyinfra", "ansible-core")
LOADED = 0.75
"""Load average for each processor from which on the machine counts as busy; we ourselves make about half of it."""


def describe(ours: Installed, peers: Installed | None) -> dict[str, str]:
    """Return the machine and the versions that took part."""
    described = {
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {os.cpu_count()} processors",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssh": subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.strip(),
    }
    described.update({name: ours.version(name) for name in OURS})
    if peers is not None:
        described.update({name: peers.version(name) for name in PEERS})
    return described


def rsync() -> str:
    """Return the version of rsync, by its own words."""
    said = subprocess.run(["rsync", "--version"], capture_output=True, text=True, check=True).stdout
    return " ".join(said.splitlines()[0].split())


def load() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def busy(*loads: float) -> bool:
    """Return whether others were at work on this machine, judged by the load averages before and after."""
    return max(loads) > LOADED * (os.cpu_count() or 1)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
