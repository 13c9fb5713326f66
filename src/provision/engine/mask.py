"""Hides secrets in text that comes piece by piece."""

from __future__ import annotations

import re


class Mask:
    """Replaces secrets by stars; where they overlap, the first one, and of those that begin together the longest."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = sorted({one for one in secrets if one}, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, self._secrets))) if self._secrets else None

    def hide(self, text: str) -> str:
        """Return the text without the secrets in it."""
        return self._any.sub("***", text) if self._any is not None else text

    def split(self, text: str) -> tuple[str, str]:
        """Return what can be hidden and shown now, and the end that may be the begin of a secret."""
        if self._any is None:
            return text, ""
        nearest = max(0, len(text) - len(self._secrets[0]) + 1)
        at = 0
        while True:
            whole = self._any.search(text, at)
            last = whole.start() if whole else len(text) - 1
            for begin in range(max(at, nearest), last + 1):
                rest = text[begin:]
                if any(len(one) > len(rest) and one.startswith(rest) for one in self._secrets):
                    return text[:begin], rest
            if whole is None:
                return text, ""
            at = whole.end()
