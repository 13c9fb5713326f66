"""The virtual packages of this machine: what the solver is told that no channel can install."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

ASK_CUDA = """
import ctypes
for name in ("libcuda.so", "libcuda.so.1", "/usr/lib64/nvidia/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"):
    try:
        library = ctypes.CDLL(name)
        break
    except OSError:
        pass
else:
    raise SystemExit(0)
number = ctypes.c_int(0)
if library.cuInit(0) == 0 and library.cuDriverGetVersion(ctypes.byref(number)) == 0:
    print(f"{number.value // 1000}.{number.value % 1000 // 10}")
"""


def cuda() -> str | None:
    """Return the CUDA version that the driver serves: CONDA_OVERRIDE_CUDA, else what libcuda tells a child.

    An empty override hides the driver. nvidia-smi is never asked.
    """
    override = os.environ.get("CONDA_OVERRIDE_CUDA")
    if override is not None:
        return override.strip() or None
    command = [sys.executable, "-I", "-S", "-c", ASK_CUDA]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return child.stdout.strip() or None


def glibc() -> str:
    """Return the C library's version, CONDA_OVERRIDE_GLIBC first."""
    return os.environ.get("CONDA_OVERRIDE_GLIBC") or platform.libc_ver()[1] or "2.17"


def packages() -> list[tuple[str, str, str]]:
    """Return (name, version, build) of each virtual package here."""
    kernel = platform.release().split("-")[0]
    found = [
        ("__archspec", "1", platform.machine()),
        ("__glibc", glibc(), "0"),
        ("__linux", ".".join(kernel.split(".")[:3]), "0"),
        ("__unix", "0", "0"),
    ]
    version = cuda()
    return sorted([*found, ("__cuda", version, "0")] if version else found)


def subdir() -> str:
    """Return this machine's platform as channels name it."""
    return {"x86_64": "linux-64", "aarch64": "linux-aarch64"}.get(platform.machine(), "linux-64")
