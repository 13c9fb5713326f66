"""Reading files is cheap and cannot touch the world: seen in what it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "src"
HEAVY = {"fabric", "paramiko", "rich", "subprocess", "socket", "threading", "yaml", "difflib", "packaging"}


def test_the_inventory_imports_nothing_heavy_until_it_is_needed() -> None:
    code = "import sys; known = set(sys.modules); import provision.inventory; print(*(set(sys.modules) - known))"
    environ = {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    loaded = {one.partition(".")[0] for one in done.stdout.split()}
    assert "provision" in loaded
    assert loaded & HEAVY == set()
