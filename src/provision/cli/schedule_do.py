"""One run of a schedule: whether the files are those that were recorded, which hosts are free, and what came of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from provision.cli import schedule_store
from provision.cli.schedule_busy import busy_hosts
from provision.cli.schedule_files import changed, digests, uncommitted
from provision.cli.schedule_notices import Told, announce
from provision.cli.schedule_result import Printed, Result, result, without_document
from provision.cli.secrecy import secrets_of
from provision.cli.workspace import Workspace
from provision.errors import ProvisionError
from provision.report.display import one_line
from provision.schedule.backoff import left_alone
from provision.schedule.due import next_due
from provision.schedule.timetable import DAY, zone_of

if TYPE_CHECKING:
    from provision.cli.schedule_store import Past
    from provision.project import Project
    from provision.schedule.record import Schedule

AGAIN = 120.0
"""Seconds between two looks whether busy hosts are idle."""
REFUSED = 2


def environment(schedule: Schedule) -> dict[str, str]:
    """Return the variables of a run: the recorded ones, and ours that configure provision itself."""
    own = {key: value for key, value in os.environ.items() if key.startswith("PROVISION_")}
    return {**own, **schedule.env, "PROVISION_SCHEDULE": schedule.name, "PYTHONSAFEPATH": "1"}


@dataclass
class Doing:
    """One run, which holds the schedule's lock."""

    schedule: Schedule
    past: Past
    log: IO[str]
    by_hand: bool
    project: Project | None = None
    hidden: tuple[str, ...] = ()

    def run(self, document: Path) -> Result:
        """Do it, with what the command prints into `document`; nothing of a run's trouble is raised.

        Raises:
            KeyboardInterrupt: we are to end; the command has ended.
        """
        os.environ.update(self.schedule.env)
        try:
            os.chdir(self.schedule.folder)
            return self._run(document)
        except ProvisionError as error:
            return without_document(self.schedule, self.past, error.exit_code, error.message, time.time())
        except OSError as error:
            why = f"{self.schedule.folder}: {error.strerror or error}"
            return without_document(self.schedule, self.past, REFUSED, why, time.time())

    def say(self, text: str) -> None:
        """Write a line into the run's log."""
        self.log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
        self.log.flush()

    def tell(self, came: Result) -> None:
        """Write and send the notices."""
        announce(came.notices, environment(self.schedule), self.project, self.say, self.hidden)

    def _run(self, document: Path) -> Result:
        schedule = self.schedule
        workspace = Workspace.open(schedule.inventory)
        self.project = workspace.project
        hosts = workspace.select(schedule.hosts)
        self.hidden = secrets_of(hosts)
        present = digests(workspace, hosts, schedule.playbook)
        differing = changed(schedule.files, present)
        loose = uncommitted(differing)
        notices: list[Told] = []
        if loose:
            text = f"changed since it was added, and not committed in git: {', '.join(loose[:3])}"
            self.say(one_line(text))
            if self.past.outcome not in {"refused", "only checked"}:
                notices.append(Told("changed-files", None, text, f"files/{schedule.name}/{int(time.time())}"))
            if schedule.frozen:
                return Result("refused", text, REFUSED, dict(self.past.failing), self.past.drifting, tuple(notices))
        names, left = self._free([one.name for one in hosts])
        check_only = schedule.check_only or bool(loose)
        if not names:
            came = result(schedule, self.past, Printed({}, 0, left), time.time())
        else:
            came = self._command(names, left, document, check_only=check_only)
        if loose and came.outcome in {"ok", "drift"}:
            came = replace(came, outcome="only checked")
        return replace(came, notices=(*notices, *came.notices))

    def _options(self) -> list[str]:
        inventory = ["-i", self.schedule.inventory] if self.schedule.inventory else []
        return [*inventory, "--host-keys", self.schedule.host_keys]

    def _free(self, hosts: list[str]) -> tuple[list[str], dict[str, str]]:
        """Return the hosts to work on, and those that are left alone."""
        schedule, begun = self.schedule, time.time()
        left: dict[str, str] = {}
        if not self.by_hand:
            left = {one: "left alone" for one in hosts if left_alone(self.past.failing.get(one), begun)}
        for host in left:
            self.say(f"{one_line(host)}: failed {self.past.failing[host].times} times in a row, and is left alone")
        names = [one for one in hosts if one not in left]
        if schedule.busy == "take" or not names:
            return names, left
        while True:
            busy = busy_hosts(schedule.command, names, self._options(), schedule.folder, environment(schedule))
            for host, why in busy.items():
                self.say(f"{one_line(host)}: busy: {one_line(why)}")
            if not busy or schedule.busy != "wait" or not self._may_wait(begun):
                free = [one for one in names if one not in busy]
                return free, {**left, **{one: "busy" for one in names if one in busy}}
            time.sleep(AGAIN)

    def _may_wait(self, begun: float) -> bool:
        then = time.time() + AGAIN
        window = self.schedule.window
        if window is not None and not window.holds(then, zone_of(self.schedule.zone)):
            return False
        due = next_due(self.schedule.timetable, begun)
        return then < min(begun + DAY, due if due is not None else begun + DAY)

    def _command(self, names: list[str], left: dict[str, str], document: Path, *, check_only: bool) -> Result:
        schedule = self.schedule
        words = ["verify", "--drift"] if check_only else ["up", *(["--frozen"] if schedule.frozen else [])]
        playbook = ["-p", schedule.playbook] if schedule.playbook else []
        command = [*schedule.command, *words, "--json", *self._options(), *playbook, "--", *names]
        self.say(f"provision {' '.join(words)}: {one_line(' '.join(names))}")
        code = self._child(command, document)
        now = time.time()
        try:
            hosts = json.loads(document.read_text("utf-8"))["hosts"]
            return result(schedule, self.past, Printed(hosts, code, left), now)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            lines = Path(self.log.name).read_text("utf-8", errors="replace").splitlines()
            why = next((one for one in reversed(lines) if one.startswith("provision: ")), f"it ended with {code}")
            return without_document(schedule, self.past, code, why, now)

    def _child(self, command: list[str], document: Path) -> int:
        with document.open("wb") as out:
            child = subprocess.Popen(
                command,
                cwd=self.schedule.folder,
                env=environment(self.schedule),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=self.log,
                start_new_session=True,
            )
            try:
                return child.wait()
            except KeyboardInterrupt:
                # It ends its steps tidily by itself, and says so.
                child.send_signal(signal.SIGINT)
                return child.wait()


def remembered(past: Past, came: Result, due: float, started: float) -> Past:
    """Return what is kept of a run."""
    return schedule_store.Past(
        handled=max(past.handled, due),
        started=started,
        ended=time.time(),
        outcome=came.outcome,
        text=came.text,
        exit_code=came.exit_code,
        failing=came.failing,
        drifting=came.drifting,
    )
