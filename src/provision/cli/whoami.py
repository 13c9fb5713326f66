"""Who is at work here, for whoever finds a host or a tree held."""

from __future__ import annotations

import os
import socket


def whoami() -> str:
    """Return ``user@machine``."""
    return f"{os.environ.get('USER') or os.environ.get('LOGNAME') or os.getuid()}@{socket.gethostname()}"
