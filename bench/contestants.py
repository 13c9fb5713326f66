"""The command lines that do the same work: bring hosts to what they already are, as whole processes."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.timing import Contestant

if TYPE_CHECKING:
    from tests.lab.host import LabHost

    from bench.installed import Installed
    from bench.stage import Fleet, Stage

PEERS = Path(__file__).parent / "peers"
FORKS = "50"

ANSIBLE_SETTINGS = """\
[defaults]
inventory = {inventory}
forks = {forks}
host_key_checking = True
interpreter_python = /usr/bin/python3
nocows = True
[ssh_connection]
pipelining = True
ssh_args = -F none -o IdentitiesOnly=yes -o UserKnownHostsFile={known_hosts} {master}
control_path_dir = {control}
"""


def ours(stage: Stage, fleet: Fleet) -> Contestant:
    """Return `provision up` on every host of the fleet."""
    count = len(fleet.hosts)
    argv = (stage.ours.program("provision"), "up", "all", "-i", str(fleet.inventory), "--forks", FORKS)

    def proves(text: str) -> bool:
        return f"{count} converged" in text if count > 1 else "nothing to do" in text

    return Contestant("provision up", argv, stage.env, stage.laptop.project, proves)


def ssh(fleet: Fleet) -> tuple[str, ...]:
    """Return how OpenSSH is called for the fleet's hosts."""
    options = ["-F", "none", "-i", str(fleet.hosts[0].key_path)]
    for option in ("IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes"):
        options += ["-o", option]
    return ("ssh", *options, "-o", f"UserKnownHostsFile={fleet.known_hosts}")


def openssh(stage: Stage, fleet: Fleet) -> Contestant:
    """Return `ssh host true` by a cold OpenSSH that checks the host key."""
    (host,) = fleet.hosts
    argv = (*ssh(fleet), f"{host.user}@{host.address}", "true")
    return Contestant("ssh host true", argv, stage.env, stage.laptop.project, lambda text: not text)


@dataclass(frozen=True, slots=True)
class Peers:
    """pyinfra and Ansible on one fleet; what they read is written into a folder of the laptop."""

    stage: Stage
    fleet: Fleet
    installed: Installed

    @property
    def folder(self) -> Path:
        """Where their inventories and settings are."""
        folder = self.stage.laptop.home / "peers" / self.fleet.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def pyinfra(self) -> Contestant:
        """Return pyinfra's no-op."""
        inventory = self.folder / "inventory.py"
        entries = [(host.address, self._pyinfra_data(host)) for host in self.fleet.hosts]
        inventory.write_text(f"hosts = {entries!r}\n")
        argv = (self.installed.program("pyinfra"), "-y", str(inventory), str(PEERS / "deploy.py"))
        wanted = re.compile(r"Grand total +(\d+) +- +- +(\d+)")

        def proves(text: str) -> bool:
            found = wanted.search(text)
            return found is not None and found[1] == found[2]

        return Contestant("pyinfra", argv, self.stage.env, self.stage.laptop.project, proves)

    def ansible(self, *, warm: bool) -> Contestant:
        """Return Ansible's no-op, with pipelining; `warm` keeps its connections open between runs."""
        folder = self.folder / ("warm" if warm else "cold")
        folder.mkdir(exist_ok=True)
        inventory = folder / "inventory.ini"
        inventory.write_text("".join(self._ansible_line(host) for host in self.fleet.hosts))
        master = "-o ControlMaster=auto -o ControlPersist=600s" if warm else "-o ControlMaster=no"
        settings = folder / "ansible.cfg"
        settings.write_text(
            ANSIBLE_SETTINGS.format(
                inventory=inventory,
                forks=FORKS,
                known_hosts=self.fleet.known_hosts,
                master=master,
                control=folder / "control",
            )
        )
        argv = (
            self.installed.program("ansible-playbook"),
            str(PEERS / "playbook.yml"),
            "--extra-vars",
            f"environment_yml={self.stage.laptop.project}/environment.yml",
        )
        env = {**self.stage.env, "ANSIBLE_CONFIG": str(settings), "LC_ALL": "C.UTF-8"}
        count = len(self.fleet.hosts)

        def proves(text: str) -> bool:
            return len(re.findall(r"ok=8 +changed=0 +unreachable=0 +failed=0", text)) == count

        name = "ansible-core, ControlMaster warm" if warm else "ansible-core"
        return Contestant(name, argv, env, self.stage.laptop.project, proves)

    def end_masters(self) -> None:
        """End the connections that a warm Ansible left open."""
        for path in (self.folder / "warm/control").glob("*"):
            subprocess.run(
                ["ssh", "-F", "none", "-o", f"ControlPath={path}", "-O", "exit", "none"],
                check=False,
                capture_output=True,
            )

    def _pyinfra_data(self, host: LabHost) -> dict[str, str]:
        return {
            "ssh_user": host.user,
            "ssh_key": str(host.key_path),
            "ssh_known_hosts_file": str(self.fleet.known_hosts),
            "ssh_strict_host_key_checking": "yes",
            "lab_home": host.home,
        }

    @staticmethod
    def _ansible_line(host: LabHost) -> str:
        login = f"ansible_user={host.user} ansible_ssh_private_key_file={host.key_path}"
        return f"{host.address} {login} lab_home={host.home}\n"


def helped(stage: Stage) -> tuple[Contestant, Contestant]:
    """Return `provision --help`, and the same interpreter doing nothing."""
    folder = stage.laptop.project
    asked = Contestant("provision --help", (stage.ours.program("provision"), "--help"), stage.env, folder)
    nothing = Contestant("python -c pass", (stage.ours.python, "-c", "pass"), stage.env, folder, lambda text: not text)
    return asked, nothing
