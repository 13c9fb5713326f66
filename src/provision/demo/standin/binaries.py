"""Shared libraries without what only a debugger reads."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

WORTH_IT_BYTES = 1 << 20


def stripped(content: bytes) -> bytes:
    """Return a large binary without debugging symbols where a strip is installed, else as it is."""
    if len(content) < WORTH_IT_BYTES or shutil.which("strip") is None:
        return content
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(content)
        file.flush()
        done = subprocess.run(["strip", "--strip-unneeded", file.name], capture_output=True, check=False)
        return Path(file.name).read_bytes() if done.returncode == 0 else content
