"""The task `files`: small files that the host must have, by content and mode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.model.plan import Finding, Run, Step
from provision.playbook.paths import expand
from provision.playbook.room import error
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import Facts


IN_THE_WAY = {"directory": "a folder", "other": "a device, a socket, a pipe, or a link that leads nowhere"}
"""Answers of the probe for what must not be replaced, and what to call it."""


@dataclass(frozen=True, slots=True)
class WantedFile:
    """One file: where it goes, what is in it."""

    path: str
    mode: str
    """Octal, four digits."""
    content: bytes

    @property
    def answer(self) -> str:
        """What the probe says of it when it is as wanted."""
        return f"file:{self.mode.lstrip('0') or '0'}:{hashlib.sha256(self.content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class FilesTask:
    """Files on the host."""

    files: tuple[WantedFile, ...]

    def asks(self) -> Iterable[str]:
        """The paths."""
        return tuple(f"path={one.path}" for one in self.files)

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Write what is absent or differs."""
        for one in self.files:
            have = _answer(facts, one)
            if have == one.answer or have in IN_THE_WAY:
                continue
            yield Step(
                f"write {one.path}",
                "it is not there" if have == "absent" else _difference(have, one),
                Run(catalogue.write_file(expand(one.path, facts.system.home), one.mode, one.content)),
            )

    def objections(self, facts: Facts) -> Iterable[Finding]:
        """Neither a folder nor a device is ever replaced."""
        return self.judge(facts)

    def judge(self, facts: Facts) -> Iterable[Finding]:
        """Say what no step can cure; what differs is in the plan."""
        for one in self.files:
            what = IN_THE_WAY.get(_answer(facts, one))
            if what is not None:
                yield error(
                    "FILE-IS-FOLDER",
                    f"{one.path} is {what} on the host",
                    "move it away, or name another path",
                )

    def checks(self, facts: Facts) -> Iterable[Step]:  # noqa: ARG002 - the probe's answer is the check
        """Nothing more than what the probe asked."""
        return ()


def _answer(facts: Facts, one: WantedFile) -> str:
    have = dict(facts.paths).get(one.path, "absent")
    kind, _, rest = have.partition(":")
    mode, _, digest = rest.partition(":")
    return f"{kind}:{mode.lstrip('0') or '0'}:{digest}" if kind == "file" else have


def _difference(have: str, one: WantedFile) -> str:
    return "its mode differs" if have.rsplit(":", 1)[-1] == one.answer.rsplit(":", 1)[-1] else "its content differs"
