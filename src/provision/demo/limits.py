"""What the demo needs of this machine, for the embedded host is this machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys

MINICONDA_MACHINES = ("x86_64", "aarch64")
GPU_SECONDS = 10.0


def why_plan_only() -> str | None:
    """Return why nothing can be installed here, or ``None``."""
    return reason(sys.platform, platform.machine(), _libc())


def reason(system: str, machine: str, libc: str | None) -> str | None:
    """Return why Miniconda for Linux cannot run on such a machine, or ``None``."""
    if system == "darwin":
        return "the host is this Mac, and Miniconda for Linux cannot run on it"
    if system != "linux":
        return f"the host is this machine ({system}), and Miniconda for Linux cannot run on it"
    if libc is None or not libc.startswith("glibc"):
        return "the host is this machine, it has no GNU C library, and Miniconda cannot run without"
    if machine not in MINICONDA_MACHINES:
        return f"the host is this machine ({machine}), and there is no Miniconda for it"
    return None


def has_rattler() -> bool:
    """Return whether py-rattler is installed beside us."""
    return importlib.util.find_spec("rattler") is not None


def has_gpu() -> bool:
    """Return whether this machine has an NVIDIA GPU that answers."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], stdin=subprocess.DEVNULL, capture_output=True, timeout=GPU_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and b"GPU 0" in done.stdout


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None
