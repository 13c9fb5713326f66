"""A notice as every channel gets it: short, of visible characters only."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from provision.decode.surrogates import encodable
from provision.report.display import visible

LONGEST = 1500
"""Bytes of a text: WeCom takes 2048 of a whole message."""
LONGEST_NAME = 200
MOST_LINES = 20
_CUT = "..."
TITLES = {
    "failure": "failed",
    "drift": "drifted",
    "recovery": "works again",
    "job": "job ended",
    "changed-files": "files changed",
    "test": "test",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell."""

    kind: str
    """One of `provision.channels.Kind`, or ``test``."""
    host: str | None
    text: str
    key: str
    """The same for the same thing, so that it is told once."""


@dataclass(frozen=True, slots=True)
class Message:
    """A notice that is ready to be sent; only `clean` makes one."""

    kind: str
    host: str | None
    text: str
    project: str
    at: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    """The same however often we try: the receiver can tell a second arrival."""

    @property
    def title(self) -> str:
        """What happened and where, in a few words."""
        return f"{TITLES.get(self.kind, self.kind)}: {self.host or self.project}"

    @property
    def words(self) -> str:
        """All of it, as a person in a chat reads it."""
        whose = f" ({self.project})" if self.host else ""
        return f"[provision] {self.title}{whose}\n{self.text}"


def clean(kind: str, host: str | None, text: str, project: str) -> Message:
    """Return what may be sent: control characters shown escaped, long texts cut."""
    return Message(kind, _short(host, LONGEST_NAME) if host else None, _short(text, LONGEST), _short(project, 100))


def folded(notices: list[Notice]) -> Notice:
    """Return one notice that stands for several of a kind."""
    lines = [f"{one.host or 'all'}: {one.text[:LONGEST_NAME]}".replace("\n", " ") for one in notices[:MOST_LINES]]
    more = len(notices) - len(lines)
    text = "\n".join([f"{len(notices)} at once", *lines, *([f"and {more} more"] if more else [])])
    return Notice(notices[0].kind, None, text, notices[0].key)


def _short(text: str, most: int) -> str:
    # Cut first: a host may send millions, and escaping costs time for each.
    shown = encodable(visible(encodable(text[: 2 * most])))
    data = shown.encode()
    if len(data) <= most and len(text) <= 2 * most:
        return shown
    return data[: most - len(_CUT)].decode("utf-8", "ignore") + _CUT
