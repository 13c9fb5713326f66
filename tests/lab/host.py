"""One host of the laboratory, as a test sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.furnish import new_key
from tests.lab.gpu import show_driver
from tests.lab.init import Settings
from tests.lab.inside import Process, answer_of, command_inside, processes_inside
from tests.lab.machine import Machine, close, descendants, leader, start_module, wait_until
from tests.lab.snapshot import Entry, read_disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import CompletedProcess

    from tests.lab.disk import Disk
    from tests.lab.knobs import Knobs
    from tests.lab.network import Link

CLIENT_OPTIONS = (
    "IdentitiesOnly=yes",
    "BatchMode=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
)
LISTENING = " 00000000:0016 00000000:0000 0A "


@dataclass(slots=True)
class LabHost:
    """A running host with a real sshd; made by `Lab.host`."""

    name: str
    knobs: Knobs
    disk: Disk
    link: Link
    key_path: Path
    """The client's private key, already authorized unless the knobs say otherwise."""
    shm_size: int | None
    jump: LabHost | None
    boot: str
    machine: Machine
    forwarder: subprocess.Popen[str] | None = None
    port: int = 22
    _stopped: bool = field(default=False)

    @property
    def address(self) -> str:
        """The IPv4 address, in the laboratory's own range."""
        return self.link.addresses.far

    @property
    def user(self) -> str:
        """The user to log in as."""
        return self.knobs.login_user

    @property
    def home(self) -> str:
        """The login user's home on the host."""
        return self.knobs.home

    @property
    def init(self) -> int:
        """The host's first process, numbered as here."""
        if not self.knobs.systemd:
            return self.machine.init
        found = leader(self.machine.init)
        if found is None:
            raise OSError(f"{self.name}: systemd is not running")
        return found

    @property
    def boot_id(self) -> str:
        """What the host says is the id of this boot."""
        return (self.root / "proc/sys/kernel/random/boot_id").read_text().strip()

    @property
    def root(self) -> Path:
        """The host's root folder, to read and write its files; absolute links in it lead out of it."""
        return Path(f"/proc/{self.init}/root")

    @property
    def host_key_fingerprint(self) -> str:
        """The fingerprint of the first host key, as ssh-keygen prints it: SHA256:..."""
        return self.fingerprint(self.knobs.host_key_types[0])

    def fingerprint(self, kind: str) -> str:
        """Return the fingerprint of the host key of this type."""
        key = self.disk.upper / f"etc/ssh/ssh_host_{kind}_key.pub"
        answer = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, check=True)
        return answer.stdout.split()[1]

    @property
    def known_hosts_lines(self) -> str:
        """Lines for a known_hosts file that trust this host at its address."""
        keys = sorted((self.disk.upper / "etc/ssh").glob("ssh_host_*_key.pub"))
        return "".join(f"{self.address} {' '.join(key.read_text().split()[:2])}\n" for key in keys)

    def ssh_command(self, *command: str, user: str | None = None) -> list[str]:
        """Return the command line of the real ssh client that runs `command` here, by way of `jump`."""
        options = ["-F", "none", "-i", str(self.key_path)]
        for option in CLIENT_OPTIONS:
            options += ["-o", option]
        if self.jump is not None:
            *through, target = self.jump.ssh_command()
            options += ["-o", f"ProxyCommand={' '.join(through)} -W %h:%p {target}"]
        return ["ssh", *options, f"{user or self.user}@{self.address}", *command]

    def ssh(self, *command: str, user: str | None = None, timeout: float = 60) -> CompletedProcess[str]:
        """Run `command` by the real ssh client and return what came of it; never raises for its exit code."""
        return answer_of(self.ssh_command(*command, user=user), timeout=timeout)

    def run(
        self, command: Sequence[str] | str, *, user: str = "root", check: bool = False, stdin: str = ""
    ) -> CompletedProcess[str]:
        """Run `command` (a string by sh) as `user` inside the host without ssh; for assertions."""
        return answer_of(command_inside(self.init, command, user), check=check, stdin=stdin)

    def processes(self) -> list[Process]:
        """Return the processes inside, without the first one and without the listening sshd."""
        ordinary = {1, self._sshd_pid()}
        return [process for process in processes_inside(self.root) if process.pid not in ordinary]

    def snapshot(self) -> dict[str, Entry]:
        """Return all that the host's disk holds of its own; equal snapshots mean that nothing was written."""
        layers = {"/": self.disk.upper}
        if self.knobs.home_size is not None:
            layers[self.home] = self.disk.home
        return read_disk(layers)

    def sshd_log(self) -> str:
        """Return what sshd has logged since the host was made."""
        if self.knobs.systemd:
            return (self.root / "run/sshd.log").read_text()
        return (self.disk.folder / "sshd.log").read_text()

    def connections(self) -> int:
        """Return how many TCP connections sshd has accepted since the host was made."""
        return sum(line.startswith("Connection from ") for line in self.sshd_log().splitlines())

    def cut(self) -> None:
        """Drop every packet to and from the host, silently, until `heal`."""
        self.link.drop("cut")

    def heal(self) -> None:
        """End a `cut`."""
        self.link.allow("cut")

    def reset_connections(self) -> None:
        """Abort every ssh connection of the host: the client sees a TCP reset."""
        self._in_network("ss", "-K", "state", "established", "sport", "=", ":22")

    def freeze(self) -> None:
        """Stop every process of the host but the first, as a hung machine does; its kernel still answers."""
        self.run(["kill", "-STOP", *(str(process.pid) for process in self.processes())])

    def thaw(self) -> None:
        """End a `freeze`."""
        self.run(["kill", "-CONT", *(str(process.pid) for process in self.processes())])

    def change_host_key(self, kind: str | None = None) -> None:
        """Give the host a new key of the type, by default of its first; running connections stay."""
        path = Path(f"/etc/ssh/ssh_host_{kind or self.knobs.host_key_types[0]}_key")
        self.run(["rm", f"{path}", f"{path}.pub"], check=True)
        self.run(new_key(path.name.split("_")[2], path), check=True)
        self.stop_sshd()
        self.start_sshd()

    def stop_sshd(self) -> None:
        """End the listening sshd; connections that are open stay."""
        if self.knobs.systemd:
            self.run(["systemctl", "stop", "ssh"], check=True)
        else:
            self.run(["kill", str(self._sshd_pid())], check=True)
        wait_until(lambda: not self._listens(), f"{self.name}: sshd still listens")

    def start_sshd(self) -> None:
        """Start sshd again."""
        if self.knobs.systemd:
            self.run(["systemctl", "start", "ssh"], check=True)
        else:
            self.machine.order("sshd")
        wait_until(self._listens, f"{self.name}: sshd does not listen")

    def settings(self) -> Settings:
        """Return what the host's supervisor must know."""
        knobs = self.knobs
        return settings_of(self.disk, knobs, self.name, self.boot, self.shm_size)

    def stop(self) -> None:
        """Take the power away: every process and connection is gone, the disk stays."""
        if self._stopped:
            return
        self._stopped = True
        if self.forwarder is not None:
            close(self.forwarder)
        self.link.remove()
        self.machine.end()

    def power_off(self) -> None:
        """Shut a systemd host down in order, as an operator does, and wait for its end."""
        supervised = descendants(self.machine.init)
        os.kill(supervised[0], signal.SIGTERM)
        self.machine.unshare.wait(timeout=60)
        self.stop()

    def start(self) -> None:
        """Boot a stopped host: the same disk and keys, a new boot id."""
        self.boot = str(uuid.uuid4())
        self.machine = Machine.start(self.settings(), self.disk.folder / "supervisor.log")
        self._stopped = False
        self.connect()

    def reboot(self) -> None:
        """Take the power away and boot again."""
        self.stop()
        self.start()

    def connect(self) -> None:
        """Join the freshly started host to the network and wait until its sshd listens."""
        near = None if self.jump is None else self.jump.machine.init
        self.link = type(self.link)(self.link.interface, self.link.addresses, near, self.machine.init)
        knobs = self.knobs
        if knobs.latency_ms or knobs.rate_mbit:
            self.forwarder = start_module(
                "tests.lab.latency",
                {
                    "near": near,
                    "near_name": self.link.interface,
                    "far": self.machine.init,
                    "far_name": "tun0",
                    "one_way": knobs.latency_ms / 2000,
                    "rate": None if knobs.rate_mbit is None else knobs.rate_mbit * 125_000,
                },
                self.disk.folder / "latency.log",
            )
            self.link.assign("tun0")
        else:
            self.link.connect()
        if knobs.loss_percent:
            self.link.lose(knobs.loss_percent, "eth0" if self.forwarder is None else "tun0")
        wait_until(self._is_up, f"{self.name}: not up; {self._logs()}")
        if knobs.gpu is not None:
            show_driver(self.init, knobs.gpu)

    def _is_up(self) -> bool:
        if not self.knobs.systemd:
            return self._listens()
        return leader(self.machine.init) is not None and self._listens() and not (self.root / "run/nologin").exists()

    def _listens(self) -> bool:
        return LISTENING in Path(f"/proc/{self.machine.init}/net/tcp").read_text()

    def _sshd_pid(self) -> int:
        try:
            return int((self.root / "run/sshd.pid").read_text())
        except (OSError, ValueError):
            return 0

    def _in_network(self, *command: str) -> None:
        enter = ["nsenter", f"--net=/proc/{self.machine.init}/ns/net"]
        subprocess.run([*enter, *command], check=True, capture_output=True)

    def _logs(self) -> str:
        return "".join(path.read_text()[-1500:] for path in sorted(self.disk.folder.glob("*.log")))


def settings_of(disk: Disk, knobs: Knobs, name: str, boot_id: str, shm_size: int | None) -> Settings:
    """Return what the supervisor of a host must know."""
    return Settings(
        folder=str(disk.folder),
        hostname=name,
        boot_id=boot_id,
        shm_size=shm_size,
        home=knobs.home if knobs.home_size is not None else None,
        binds=[[str(source), target] for source, target in knobs.binds],
        noexec_tmp=knobs.noexec_tmp,
        systemd=knobs.systemd,
    )
