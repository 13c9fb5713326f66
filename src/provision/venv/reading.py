"""What a venv holds, read by the same program that reads an environment on a host."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from provision.environment.listing import Listing, parse_listing

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 120.0
_MEMORY = 768 << 20
_LIMIT = f"""\
import resource
try:
    resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
except (OSError, ValueError):
    pass
"""
"""A link to an endless file must not take all memory; macOS knows no such limit."""


def read_packages(path: Path, program: str) -> Listing:
    """Return what is installed in a venv or a conda environment of this machine.

    Args:
        path: Its folder. Nothing in it is run or imported.
        program: The text of list_packages.py, which this interpreter runs, isolated.

    Raises:
        ValueError: it cannot be read; the message is one line.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", _LIMIT + program, str(path), "0"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path}: its packages could not be read within {_PATIENCE:.0f} s") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: its packages could not be read: {error}") from None
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ValueError(f"{path}: its packages could not be read: {last[:200]}")
    return parse_listing(done.stdout)
