"""The laboratory's hosts, bare or brought to what the playbook says before anything is timed."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.end_to_end.laptop import Laptop
from tests.lab.controller import enter_laboratory
from tests.lab.lab import Lab

from bench.timing import Contestant, run
from provision.demo.standin.channel import build_channel
from provision.demo.standin.installer import build_installer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.lab.host import LabHost

    from bench.installed import Installed

PREPARED_AT_ONCE = "4"
"""Hosts whose environments are built at the same time, before any timing."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Hosts at the same distance, with the files by which each contestant knows them."""

    name: str
    hosts: tuple[LabHost, ...]
    inventory: Path
    known_hosts: Path


@dataclass(frozen=True, slots=True)
class Stage:
    """A user's machine, the hosts around it, and us as installed."""

    laptop: Laptop
    lab: Lab
    ours: Installed

    @property
    def env(self) -> dict[str, str]:
        """The variables of every contestant: a user's, with nothing that changes how Python starts."""
        return {"HOME": str(self.laptop.home), "PATH": os.environ["PATH"], "USER": "dev", "LANG": "C.UTF-8"}

    @contextmanager
    def apart(self, name: str, size: int, latency_ms: float, *, prepared: bool = True) -> Iterator[Fleet]:
        """Give a fleet that is gone afterwards, disks included: many environments fill the memory."""
        with Lab(self.lab.controller) as lab:
            yield (self.fleet if prepared else self.bare)(name, size, latency_ms, lab)

    def fleet(self, name: str, size: int, latency_ms: float, lab: Lab | None = None) -> Fleet:
        """Start hosts and run `up` on them until they are what the playbook says."""
        fleet = self.bare(name, size, latency_ms, lab)
        hosts = fleet.hosts
        up = (self.ours.program("provision"), "up", "-i", str(fleet.inventory), "--forks", PREPARED_AT_ONCE)
        preparing = Contestant("preparing the hosts", (*up, hosts[0].name), self.env, self.laptop.project)
        run(preparing)
        if size > 1:
            # One build serves all: a copy needs only to be proven anew, as on another boot.
            for host in hosts[1:]:
                _copy_home(hosts[0], host)
            run(replace(preparing, argv=(*up, "all")))
        for host in hosts:
            host.run(f"echo 'threads = 8' >{host.home}/bench-settings", user=host.user, check=True)
            text = (self.laptop.project / "environment.yml").read_text()
            path = f"{host.home}/bench-environment.yml"
            host.run(f"cat >{path} && chmod 644 {path}", user=host.user, check=True, stdin=text)
        return fleet

    def bare(self, name: str, size: int, latency_ms: float, lab: Lab | None = None) -> Fleet:
        """Start hosts that nothing has been done to."""
        hosts = tuple((lab or self.lab).fleet([f"{name}-{number}" for number in range(size)], latency_ms=latency_ms))
        inventory = self.laptop.project / f"{name}.yaml"
        self.laptop.hosts(hosts)
        (self.laptop.project / "hosts.yaml").rename(inventory)
        known_hosts = self.laptop.home / f"known_hosts-{name}"
        known_hosts.write_text("".join(host.known_hosts_lines for host in hosts))
        return Fleet(name, hosts, inventory, known_hosts)


@contextmanager
def stage(ours: Installed) -> Iterator[Stage]:
    """Leave the machine's network, and give a laptop whose project asks for a small environment."""
    with tempfile.TemporaryDirectory(prefix="provision-bench-") as name, Lab(enter_laboratory()) as lab:
        folder = Path(name)
        channel = build_channel(folder / "built", numpy=False, cache=folder / "cache")
        installer = build_installer(channel.path, channel_url=channel.url, cache=folder / "cache")
        laptop = Laptop(folder / "home", lab.serve(channel.path), installer)
        laptop.playbook({"environment": {}})
        laptop.environment_yml("python", "pip", "standin-alpha=1")
        yield Stage(laptop, lab, ours)


def _copy_home(source: LabHost, target: LabHost) -> None:
    homes = [f"{host.root}{host.home}" for host in (source, target)]
    subprocess.run(["cp", "--archive", f"{homes[0]}/.", homes[1]], check=True)


def wire_bytes(hosts: Sequence[LabHost]) -> tuple[int, int]:
    """Return the bytes sent to and received from these hosts so far, IP headers included."""
    asked = subprocess.run(["ip", "-json", "-statistics", "link", "show"], capture_output=True, text=True, check=True)
    links: dict[str, Mapping[str, Mapping[str, int]]] = {
        link["ifname"]: link["stats64"] for link in json.loads(asked.stdout)
    }
    counts = [links[host.link.interface] for host in hosts]
    return sum(one["tx"]["bytes"] for one in counts), sum(one["rx"]["bytes"] for one in counts)
