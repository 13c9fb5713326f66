"""What a test can ask of a laboratory host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

LoginShell = Literal["bash", "dash", "fish", "tcsh", "busybox", "zsh", "nologin"]
Sudo = Literal["none", "nopasswd", "password"]
KeyType = Literal["ed25519", "ecdsa", "rsa"]

SHELLS: dict[str, str] = {
    "bash": "/bin/bash",
    "dash": "/bin/dash",
    "fish": "/usr/bin/fish",
    "tcsh": "/usr/bin/tcsh",
    "busybox": "/usr/lib/busybox-shell/sh",
    "zsh": "/usr/bin/zsh",
    "nologin": "/usr/sbin/nologin",
}
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Knobs:
    """How a host is made; every default is an ordinary rented machine with a plain user and no sudo."""

    user: str = "ubuntu"
    """The login user that `LabHost.user` names: `ubuntu` (uid 1000) or `root`."""
    login_shell: LoginShell = "bash"
    password: str | None = None
    """A password for both users; sshd then accepts it too."""
    authorized: bool = True
    """Whether the client key is already in authorized_keys."""
    sudo: Sudo = "none"

    latency_ms: float = 0.0
    """Added round trip in milliseconds, half of it each way."""
    rate_mbit: float | None = None
    """Link speed each way in Mbit/s; None is unlimited. Needs no latency."""
    loss_percent: float = 0.0
    """Random packet loss each way."""

    disk_size: int = 4096 * MIB
    """Bytes that can be written anywhere on the host's disk."""
    home_size: int | None = None
    """Bytes of the login user's home, when it shall be a small file system of its own."""
    shm_size: int | None = None
    """Bytes of /dev/shm; None is the kernel's default (half of the memory)."""
    noexec_tmp: bool = False

    without: tuple[str, ...] = ()
    """Names of programs that are missing on the host, in every folder of the usual PATH."""
    binds: tuple[tuple[Path, str], ...] = ()
    """Pairs (path here, path there) mounted read-only."""
    files: tuple[tuple[str, str, int], ...] = ()
    """Triples (path, text, mode) written before the host starts; owned by the user below the user's home."""

    rc_noise: bool = False
    """Login and rc files that print several lines to stdout and stderr, ANSI colours included."""
    rc_delay: float = 0.0
    """Seconds that the rc files of bash and sh take."""

    max_sessions: int | None = None
    max_startups: str | None = None
    exec_refused: bool = False
    """A gateway: forwards ports, answers every command and shell with a refusal."""
    sshd_config: tuple[str, ...] = ()
    """Further sshd_config lines; they come first, so they win."""
    host_key_types: tuple[KeyType, ...] = ("ed25519",)

    container: bool = False
    """As rented containers are: root is the only login, no systemd programs, no sudo, /dev/shm of 64 MiB."""
    systemd: bool = False
    """Boots the real systemd in place of the small init."""
    kill_user_processes: bool = False
    """systemd-logind's KillUserProcesses (systemd hosts only)."""

    gpu: Path | None = None
    """A folder that a recorded nvidia-smi replays (`recorded_nvidia_smi.sh`), with the kernel's log and the fabric
    manager that it has (`recorded_beside_nvidia_smi.sh`)."""
    gpu_hang: bool = False
    """The recorded nvidia-smi never answers."""
    gpu_exit: int | None = None
    """The recorded nvidia-smi fails with this exit code."""

    @property
    def sudo_password(self) -> str:
        """The password that sudo asks for where `sudo` is "password"."""
        return self.password or "correct horse"

    @property
    def login_user(self) -> str:
        """The user that tests log in as."""
        return "root" if self.container else self.user

    @property
    def home(self) -> str:
        """The login user's home."""
        return "/root" if self.login_user == "root" else f"/home/{self.login_user}"
