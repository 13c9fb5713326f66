"""A converger in this process, whose events the test sees as they come and acts upon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from provision.engine.converge import Converger, Goal
from provision.engine.stop import Stop
from provision.events import StepOutput
from provision.inventory.alias import AliasValues
from provision.model.host import Host
from provision.playbook.tasks.command import CommandTask
from provision.ssh.link import SshLink
from provision.ssh.route import Hop, Route, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.events import Event
    from provision.model.plan import Outcome
    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
