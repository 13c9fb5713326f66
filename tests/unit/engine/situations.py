"""A host in memory, the whole playbook for it, and a run of the real engine on both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.engine.converge import Converger, Goal
from provision.engine.stop import Stop
from provision.environment.spec import EnvironmentSpec
from provision.errors import ProvisionError
from provision.model.host import Expect, Host
from provision.playbook.options import CommandOptions, MinicondaOptions, PackagesOptions
from provision.playbook.tasks.command import CommandTask
from provision.playbook.tasks.environment import EnvironmentTask, Variant
from provision.playbook.tasks.files import FilesTask, WantedFile
from provision.playbook.tasks.gpu import GpuTask
from provision.playbook.tasks.miniconda import MinicondaTask
from provision.playbook.tasks.packages import PackagesTask
from tests.unit.engine.model_host import STATE, ModelHost
from tests.unit.engine.model_link import ModelLink

if TYPE_CHECKING:
    from provision.events import Event
    from provision.model.plan import Outcome
    from provision.playbook.task import Task

HOST = Host("box", "192.0.2.1", user="ubuntu", expect=Expect(gpus=0))
HOLDER = "dev@laptop (up, run 1)"
SPEC = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.11", "numpy=1.26"), pip=("requests==2.32",))
COMMAND = "make -C data"
UNTIL = CommandTask(CommandOptions(COMMAND, unless=COMMAND))
ONCE = CommandTask(CommandOptions("./setup --once"))
CREATES = CommandTask(CommandOptions("touch ~/made", creates="~/made"))


class NoPins:
    """Pins in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def find(self, file_name: str) -> str | None:
        """Return what was pinned."""
        return self.kept.get(file_name)

    def remember(self, file_name: str, sha256: str) -> None:
        """Keep it."""
        self.kept[file_name] = sha256


def environment_task(spec: EnvironmentSpec = SPEC, host: Host = HOST) -> EnvironmentTask:
    """Return the project's environment for one host."""
    return EnvironmentTask("mymodel", "mymodel", (Variant(None, spec),), "~/miniconda3", host, False)


def playbook(options: MinicondaOptions | None = None, host: Host = HOST) -> tuple[Task, ...]:
    """Return one of every task."""
    return (
        PackagesTask(PackagesOptions(names=("git",))),
        MinicondaTask(options or MinicondaOptions(), host, NoPins()),
        environment_task(host=host),
        GpuTask(host.expect),
        FilesTask((WantedFile("~/.config/mine.toml", "0600", b"key = 1\n"),)),
        UNTIL,
        ONCE,
        CREATES,
    )


@dataclass
class Run:
    """One run of the engine on a host in memory."""

    host: ModelHost = field(default_factory=ModelHost)
    tasks: tuple[Task, ...] = field(default_factory=playbook)
    mode: str = "up"
    wait: bool = False
    stop: Stop = field(default_factory=Stop)
    events: list[Event] = field(default_factory=list)
    outcome: Outcome | None = None
    error: ProvisionError | None = None
    left: tuple[str, ...] = ()
    _link: ModelLink | None = None

    @property
    def link(self) -> ModelLink:
        """The link, which a test may set up before the run."""
        if self._link is None:
            self._link = ModelLink(self.host)
        return self._link

    def go(self) -> Run:
        """Run to the end, and keep what came of it."""
        goal = Goal(self.mode, self.tasks, STATE, "~/work", HOLDER, wait=self.wait)
        converger = Converger(goal, lambda: self.link, self.take, self.stop)
        try:
            self.outcome = converger.run()
        except ProvisionError as error:
            self.error = error
        self.left = converger.left
        return self

    def take(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def of(self, kind: type) -> list[Event]:
        """Return the events of one kind."""
        return [one for one in self.events if isinstance(one, kind)]
