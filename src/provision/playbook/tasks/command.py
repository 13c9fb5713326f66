"""The task `command`: a shell command that runs unless it is already done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.model.plan import Detached, Finding, Run, Step
from provision.playbook.paths import expand
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import Facts
    from provision.playbook.options import CommandOptions


@dataclass(frozen=True, slots=True)
class CommandTask:
    """One command of a playbook.

    Done means: `creates` exists, or `unless` exits with 0; where neither is given, it ran once on this machine, which
    a record says.
    """

    options: CommandOptions

    def asks(self) -> Iterable[str]:
        """The path and the question that tell whether it is done."""
        if self.options.creates:
            yield f"path={self.options.creates}"
        if self.options.unless:
            yield f"unless={self._question} {self.options.unless}"

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Run it where it is not done."""
        if self._done(facts):
            return
        options = self.options
        folder = expand(options.cwd or "~", facts.system.home)
        command = options.run.strip()
        yield Step(
            f"run {options.name or command.splitlines()[0][:60]}",
            self._reason,
            Detached(catalogue.run_command(folder, command)),
            details=tuple(f"$ {line}" for line in command.splitlines()),
        )
        if not (options.creates or options.unless):
            text = json.dumps({"format": 1, "command": command}, separators=(",", ":"))
            machine = facts.system.machine_id or "none"
            yield Step(
                f"record that {options.name or 'the command'} ran ({self._record})",
                "so that it runs once",
                Run(catalogue.write_record(facts.state_dir, machine, self._record, text)),
                changed=False,
            )

    def objections(self, facts: Facts) -> Iterable[Finding]:  # noqa: ARG002 - what it does is the user's own
        """None that could be known."""
        return ()

    def judge(self, facts: Facts) -> Iterable[Finding]:  # noqa: ARG002 - an undone command shows in the plan
        """None: an undone command is in the plan."""
        return ()

    def checks(self, facts: Facts) -> Iterable[Step]:  # noqa: ARG002 - the probe's answer is the check
        """Nothing more than what the probe asked."""
        return ()

    @property
    def _question(self) -> str:
        return hashlib.sha256((self.options.unless or "").encode()).hexdigest()[:16]

    @property
    def _record(self) -> str:
        options = self.options
        text = json.dumps([options.run, options.cwd], separators=(",", ":"))
        return f"command-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @property
    def _reason(self) -> str:
        if self.options.creates:
            return f"{self.options.creates} is not there"
        return f"`{self.options.unless}` does not exit with 0" if self.options.unless else "it was never run here"

    def _done(self, facts: Facts) -> bool:
        options = self.options
        if options.creates and dict(facts.paths).get(options.creates, "absent") != "absent":
            return True
        if options.unless:
            return dict(facts.unless).get(self._question) == 0
        return not options.creates and facts.record(self._record) is not None
