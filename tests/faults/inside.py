"""A converger in this process, whose events the test sees as they come and acts upon."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

from provision.engine.converge import Converger, Goal
from provision.engine.stop import Stop
from provision.events import StepOutput
from provision.model.host import Host
from provision.playbook.options import CommandOptions
from provision.playbook.tasks.command import CommandTask
from provision.ssh.link import SshLink
from provision.ssh.route import Hop, Route, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.events import Event
    from provision.model.plan import Outcome
    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost


def only_command(laptop: Laptop, run: str, **more: str) -> None:
    """Let the project's playbook be one command."""
    tasks = [{"command": {"run": run, **more}}]
    (laptop.project / "playbooks" / "training.yaml").write_text(json.dumps({"name": "training", "tasks": tasks}))


class Inside:
    """One run of one command on one host."""

    def __init__(self, box: LabHost, command: str, holder: str = "dev@laptop (up, run 1)") -> None:
        host = Host(box.name, box.address, identity_file=str(box.key_path))
        goal = Goal("up", (CommandTask(CommandOptions(command)),), "~/.provision", "~/work", holder)
        route = Route((Hop(host, box.user),))
        self.stop = Stop()
        self.converger = Converger(goal, lambda: SshLink(route, Settings()), self._take, self.stop)
        self.lines: list[str] = []
        self.count: Counter[str] = Counter()
        self._at: dict[type | str, float] = {}
        self._then: dict[type | str, Callable[[], None]] = {}

    def on(self, what: type | str, then: Callable[[], None]) -> None:
        """Call `then` at the first event of a type, or at the first line that is this text."""
        self._then[what] = then

    def at(self, what: type | str) -> float:
        """Return when that was."""
        return self._at[what]

    def run(self) -> Outcome:
        """Run to the end."""
        return self.converger.run()

    def _take(self, event: Event) -> None:
        what: type | str = type(event)
        self.count[type(event).__name__] += 1
        if isinstance(event, StepOutput):
            self.lines.append(event.line)
            what = event.line
        if what not in self._at:
            self._at[what] = time.monotonic()
            self._then.get(what, lambda: None)()
