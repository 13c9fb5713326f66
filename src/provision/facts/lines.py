"""The probe's lines, ``key|text``, and the few careful conversions that everything here uses."""

from __future__ import annotations

import json
import re
from typing import Any

from provision.errors import StepFailedError

_NUMBER = re.compile(r"[0-9]{1,18}")
_DEEPEST = 32
_LONGEST_DOCUMENT = 1 << 20
_MOST_LINES = 100_000
"""A few hundred are usual; each becomes several objects here."""


class ProbeError(StepFailedError):
    """The probe's output lacks what nothing can be judged without."""

    kind = "probe"


class Lines:
    """The texts of each key, in the order in which they were printed."""

    def __init__(self, output: bytes) -> None:
        self._texts: dict[str, list[str]] = {}
        self._ordered: list[tuple[str, str]] = []
        if output.count(b"\n") > _MOST_LINES:
            raise ProbeError(f"the probe's answer has more than {_MOST_LINES} lines")
        # No argument can carry a NUL, and what the probe read becomes arguments.
        for line in output.replace(b"\0", b"").split(b"\n"):
            key, bar, text = line.decode("utf-8", "surrogateescape").partition("|")
            if bar:
                self._texts.setdefault(key, []).append(text)
                self._ordered.append((key, text))

    def all(self, key: str) -> list[str]:
        """Return every text of a key."""
        return self._texts.get(key, [])

    def first(self, key: str) -> str | None:
        """Return the first text of a key, ``None`` where there is none or it is empty."""
        texts = self._texts.get(key)
        return texts[0].strip() or None if texts else None

    def needed(self, key: str) -> str:
        """Return the first text of a key.

        Raises:
            ProbeError: The probe did not print it.
        """
        text = self.first(key)
        if text is None:
            raise ProbeError(
                f"the probe's answer has no {key!r}",
                hint="run again with -v to see the answer; a login script that prints or exits can cut it",
            )
        return text

    def keys(self, start: str) -> list[str]:
        """Return the keys that begin so, in the order in which they first came."""
        return [key for key in self._texts if key.startswith(start)]

    def blocks(self, start: str) -> list[tuple[str, list[tuple[str, str]]]]:
        """Group the lines ``start.x`` below the line ``start`` that they follow."""
        found: list[tuple[str, list[tuple[str, str]]]] = []
        for key, text in self._ordered:
            if key == start:
                found.append((text, []))
            elif found and key.startswith(f"{start}."):
                found[-1][1].append((key[len(start) + 1 :], text))
        return found


def number(text: str | None) -> int | None:
    """Return the whole number that a text is, ``None`` for anything else or beyond 18 digits."""
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    return int(text)


def document(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is.

    Raises:
        ValueError: It is none, or it is longer, deeper or stranger than anything provision writes.
    """
    if len(text) > _LONGEST_DOCUMENT:
        raise ValueError("too long")
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a damaged file, not a mistaken caller
    _check_depth(value)
    return value


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("a number beyond all bounds")
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")
