"""What is written on a host's disk before it starts: names, users, keys, settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.knobs import MIB, SHELLS

if TYPE_CHECKING:
    from tests.lab.disk import Disk
    from tests.lab.knobs import Knobs

USER_ID = 1000
HIDDEN_SETTINGS = ("/etc/pip.conf", "/etc/machine-id", "/etc/environment", "/etc/fstab")
SYSTEMD_PROGRAMS = ("systemctl", "loginctl", "systemd-run", "journalctl", "busctl")
NOISE_FILE = ".noise.sh"
NOISE = r"""printf 'Welcome to \033[1;32mGPU Cloud\033[0m!\n  * docs: https://gpu.example\n\n'
printf '\033]0;gpu-box\007\033[33mwarning:\033[0m disk /mnt is not backed up\n' >&2
echo 'loaded modules: cuda/12.4 gcc/11'
echo 'rc: line two on stderr' >&2
"""
CALL_NOISE = f"sh ~/{NOISE_FILE}\n"
RC_FILES = (".zshenv", ".tcshrc", ".config/fish/config.fish")


def furnish(disk: Disk, knobs: Knobs, hostname: str, client_key: Path) -> None:
    """Write everything that makes the overlay a machine of its own."""
    name_host(disk, knobs, hostname)
    add_users(disk, knobs)
    fill_home(disk, "/root", 0, knobs, client_key)
    if knobs.container:
        disk.write("/.dockerenv", "")
    else:
        fill_home(disk, "/home/ubuntu", USER_ID, knobs, client_key)
    configure_sudo(disk, knobs)
    configure_sshd(disk, knobs)
    for name in knobs.without:
        disk.hide(name)
    for path, text, mode in knobs.files:
        disk.write(path, text, mode, USER_ID if path.startswith("/home/ubuntu/") else 0)


def name_host(disk: Disk, knobs: Knobs, hostname: str) -> None:
    """Write hostname, hosts, resolv.conf (a resolver that refuses at once) and machine-id."""
    disk.write("/etc/hostname", f"{hostname}\n")
    disk.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n")
    disk.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
    for path in HIDDEN_SETTINGS:
        disk.write(path, "")
    if not knobs.systemd:
        disk.write("/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)


def add_users(disk: Disk, knobs: Knobs) -> None:
    """Keep the machine's system users, drop its people, add `ubuntu`, and set shells and passwords."""
    shell = SHELLS[knobs.login_shell]
    if knobs.login_shell == "busybox":
        disk.place(shell).symlink_to("/usr/bin/busybox")
    words = _hashed(knobs.sudo_password) if _needs_password(knobs) else "*"
    passwd = [line for line in _lines("/etc/passwd") if not _is_person(line) and not line.startswith("root:")]
    root_shell = shell if knobs.login_user == "root" else "/bin/bash"
    passwd.insert(0, f"root:x:0:0:root:/root:{root_shell}")
    shadow = ["root:{}:19000:0:99999:7:::".format(words if knobs.password else "*")]
    shadow += [f"{line.split(':')[0]}:*:19000:0:99999:7:::" for line in passwd[1:]]
    names = {line.split(":")[0] for line in passwd}
    group = [line for line in _lines("/etc/group") if not _is_person(line)]
    group = [":".join((*line.split(":")[:3], "")) for line in group if line.split(":")[0] != "ubuntu"]
    if not knobs.container:
        passwd.append(f"ubuntu:x:{USER_ID}:{USER_ID}:Ubuntu:/home/ubuntu:{shell}")
        shadow.append(f"ubuntu:{words}:19000:0:99999:7:::")
        group.append(f"ubuntu:x:{USER_ID}:")
    if "sshd" not in names:
        passwd.append("sshd:x:102:65534::/run/sshd:/usr/sbin/nologin")
    disk.write("/etc/passwd", "\n".join(passwd) + "\n")
    disk.write("/etc/group", "\n".join(group) + "\n")
    disk.write("/etc/shadow", "\n".join(shadow) + "\n", 0o640)
    for name in ("/etc/subuid", "/etc/subgid"):
        disk.write(name, "")


def fill_home(disk: Disk, home: str, owner: int, knobs: Knobs, client_key: Path) -> None:
    """Write a home with its keys and rc files, on the disk or on the file system that stands in for it."""
    separate = knobs.home_size is not None and home == knobs.home
    if separate:
        disk.create_home(knobs.home_size or 0, owner)
    folder = disk.place(home)
    folder.mkdir(exist_ok=True)
    target = disk.home if separate else folder
    skeleton = {".profile": _profile(knobs), ".bashrc": _bashrc(knobs)}
    if knobs.rc_noise:
        skeleton |= {NOISE_FILE: NOISE} | dict.fromkeys(RC_FILES, CALL_NOISE)
    if knobs.authorized:
        skeleton[".ssh/authorized_keys"] = Path(f"{client_key}.pub").read_text()
    for name, text in skeleton.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if knobs.authorized:
        (target / ".ssh").chmod(0o700)
        (target / ".ssh" / "authorized_keys").chmod(0o600)
    for path in (folder, target, *target.rglob("*")):
        os.chown(path, owner, owner)
    for path in (folder, target):
        path.chmod(0o700 if owner == 0 else 0o750)


def configure_sudo(disk: Disk, knobs: Knobs) -> None:
    """Let `ubuntu` become root by the knob's rule, or remove sudo."""
    if knobs.container or knobs.sudo == "none":
        disk.hide("sudo")
        return
    tag = "NOPASSWD: " if knobs.sudo == "nopasswd" else ""
    disk.write("/etc/sudoers.d/lab", f"ubuntu ALL=(ALL:ALL) {tag}ALL\n", 0o440)


def configure_sshd(disk: Disk, knobs: Knobs) -> None:
    """Write sshd's configuration and fresh host keys."""
    lines = [
        *knobs.sshd_config,
        "Port 22",
        "AddressFamily inet",
        *(f"HostKey /etc/ssh/ssh_host_{kind}_key" for kind in knobs.host_key_types),
        "LogLevel VERBOSE",
        "UseDNS no",
        "PrintMotd no",
        "PrintLastLog no",
        "PidFile /run/sshd.pid",
        "PermitRootLogin yes",
        f"PasswordAuthentication {'yes' if knobs.password else 'no'}",
        "KbdInteractiveAuthentication no",
        f"UsePAM {'yes' if knobs.systemd else 'no'}",
        "AcceptEnv LANG LC_*",
        "Subsystem sftp internal-sftp",
    ]
    if knobs.max_sessions is not None:
        lines.append(f"MaxSessions {knobs.max_sessions}")
    if knobs.max_startups is not None:
        lines.append(f"MaxStartups {knobs.max_startups}")
    if knobs.exec_refused:
        lines += ["PermitTTY no", "ForceCommand /usr/sbin/nologin"]
    disk.write("/etc/ssh/sshd_config", "\n".join(lines) + "\n")
    for kind in knobs.host_key_types:
        make_host_key(disk, kind)


def make_host_key(disk: Disk, kind: str) -> None:
    """Give a host that does not run yet its key of the type."""
    subprocess.run(new_key(kind, disk.place(f"/etc/ssh/ssh_host_{kind}_key")), check=True)


def new_key(kind: str, path: Path) -> list[str]:
    """Return the command line that makes a host key."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "lab-host", "-f", str(path)]
    return [*command, "-b", "2048"] if kind == "rsa" else command


def container_defaults(disk: Disk, knobs: Knobs) -> int | None:
    """Hide what rented containers lack and return the size of /dev/shm in bytes."""
    if not knobs.container:
        return knobs.shm_size
    for name in SYSTEMD_PROGRAMS:
        disk.hide(name)
    return knobs.shm_size or 64 * MIB


def _profile(knobs: Knobs) -> str:
    noise = CALL_NOISE if knobs.rc_noise else ""
    return f'{noise}[ -z "$BASH_VERSION" ] || [ ! -f "$HOME/.bashrc" ] || . "$HOME/.bashrc"\n'


def _bashrc(knobs: Knobs) -> str:
    delay = f"sleep {knobs.rc_delay}\n" if knobs.rc_delay else ""
    return f"{delay}{CALL_NOISE if knobs.rc_noise else ''}PS1='$ '\n"


def _needs_password(knobs: Knobs) -> bool:
    return knobs.password is not None or knobs.sudo == "password"


def _hashed(password: str) -> str:
    openssl = shutil.which("openssl") or "/usr/bin/openssl"
    answer = subprocess.run(
        [openssl, "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def _lines(path: str) -> list[str]:
    return [line for line in Path(path).read_text().splitlines() if line.strip()]


def _is_person(line: str) -> bool:
    number = int(line.split(":")[2])
    return line.startswith("ubuntu:") or 1000 <= number < 65000
