"""The laboratory of one test: it makes hosts and web servers, and leaves nothing behind."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.lab.controller import ADDRESS
from tests.lab.disk import Disk
from tests.lab.furnish import container_defaults, furnish
from tests.lab.gpu import install_recorded
from tests.lab.host import LabHost, settings_of
from tests.lab.knobs import Knobs
from tests.lab.machine import Machine
from tests.lab.network import Addresses, Link
from tests.lab.systemd import prepare_systemd
from tests.lab.webserver import WebServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from tests.lab.controller import Controller

AT_ONCE = 8
"""Hosts that start at the same time; more only wait for each other on a small machine."""


@dataclass(slots=True)
class Lab:
    """Makes hosts; use as a context manager, or through the `lab` fixture."""

    controller: Controller
    hosts: list[LabHost] = field(default_factory=list)
    servers: list[WebServer] = field(default_factory=list)

    def host(self, name: str = "box", *, jump: LabHost | None = None, **knobs: Any) -> LabHost:
        """Start a host and return it when its sshd answers; `knobs` are the fields of `Knobs`.

        With `jump`, only that host can reach it.
        """
        return self._make(name, Knobs(**knobs), jump)

    def fleet(self, names: Sequence[str], **knobs: Any) -> list[LabHost]:
        """Start several hosts with the same knobs at once."""
        wanted = Knobs(**knobs)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda name: self._make(name, wanted, None), names))

    def serve(self, folder: Path) -> WebServer:
        """Serve `folder` over HTTP at an address that every host reaches; `.url` says where."""
        server = WebServer(folder, ADDRESS)
        self.servers.append(server)
        return server

    def close(self) -> None:
        """End every host and server; raises if a process of theirs survives."""
        for server in self.servers:
            server.close()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(LabHost.stop, reversed(self.hosts)))
        for host in self.hosts:
            host.disk.discard()
        survivors = [pid for host in self.hosts for pid in host.machine.survivors()]
        if survivors:
            raise RuntimeError(f"processes of the laboratory survive: {survivors}")
        self.hosts.clear()
        self.servers.clear()

    def _make(self, name: str, knobs: Knobs, jump: LabHost | None) -> LabHost:
        number = self.controller.next_number()
        disk = Disk(self.controller.folder / f"{number}-{name}")
        disk.create(knobs.disk_size)
        furnish(disk, knobs, name, self.controller.client_key)
        shm_size = container_defaults(disk, knobs)
        if knobs.systemd:
            prepare_systemd(disk, knobs)
        if knobs.gpu is not None:
            install_recorded(disk, knobs)
        boot = str(uuid.uuid4())
        settings = settings_of(disk, knobs, name, boot, shm_size)
        machine = Machine.start(settings, disk.folder / "supervisor.log")
        link = Link(f"lab{number}", Addresses.numbered(number, behind=jump is not None), None, machine.init)
        host = LabHost(name, knobs, disk, link, self.controller.client_key, shm_size, jump, boot, machine)
        self.hosts.append(host)
        host.connect()
        return host

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
