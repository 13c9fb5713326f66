"""The ids of jobs: short, and unlikely to be given twice."""

from __future__ import annotations

import re

FIRST = "abcdefghijklmnopqrstuvwxyz"
REST = FIRST + "234567"
LENGTH = 6
ID = re.compile(r"[a-z][a-z2-7]{5}")


def new_id(random: bytes) -> str:
    """Return an id made of random bytes, of which it takes as many as it has letters."""
    if len(random) < LENGTH:
        raise ValueError(f"{len(random)} bytes, expected at least {LENGTH}")
    return FIRST[random[0] % len(FIRST)] + "".join(REST[one % len(REST)] for one in random[1:LENGTH])


def may_be_id(word: str) -> bool:
    """Return whether a word may be the beginning of an id."""
    return bool(word) and len(word) <= LENGTH and ID.fullmatch(word + "a" * (LENGTH - len(word))) is not None
