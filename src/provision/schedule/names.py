"""Names of schedules, and the key that stands for one in the names of files and units."""

from __future__ import annotations

import re

from provision.decode import printable
from provision.errors import UsageError

LONGEST = 60
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
_KEY = re.compile(r"(?:[A-Za-z0-9-]|_[0-9a-f]{2})+", re.ASCII)


def schedule_name(text: str) -> str:
    """Return a name that a schedule can have: any printable text that no option begins with.

    Raises:
        UsageError: it cannot be one.
    """
    if not text or len(text) > LONGEST or not text.isprintable() or text != text.strip() or text.startswith("-"):
        raise UsageError(
            f"'{printable(text)[:LONGEST]}' cannot name a schedule",
            hint=f"expected 1 to {LONGEST} printable characters, no blank around them, no '-' before them",
        )
    return text


def default_name(hosts: tuple[str, ...], *, check_only: bool) -> str:
    """Return the name of a schedule for hosts as they were typed."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(hosts)).strip("-.") or "default"
    return f"{name[:48]}-check" if check_only else name[:48]


def key_of(name: str) -> str:
    """Return letters, digits, ``-`` and ``_xx`` for each other byte: every name has its own key."""
    return "".join(chr(one) if chr(one) in _PLAIN else f"_{one:02x}" for one in name.encode())


def is_key(text: str) -> bool:
    """Whether a file's name is a schedule's key."""
    return _KEY.fullmatch(text) is not None
