"""Paths on the host, from what the user wrote: ``~`` is the home that the probe told, never a shell's idea of it."""

from __future__ import annotations


def expand(path: str, home: str) -> str:
    """Return an absolute path on the host without a slash at its end."""
    if path == "~":
        return home
    whole = f"{home}/{path[2:]}" if path.startswith("~/") else path
    return whole.rstrip("/") or "/"
