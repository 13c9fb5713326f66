"""The machine and the login."""

from __future__ import annotations

import re

from provision.facts.cloud import cloud
from provision.facts.disks import size
from provision.facts.lines import Lines, number
from provision.model.facts import System

_UNLIMITED = 1 << 60
"""Version 1 of control groups writes nearly 2**63 where there is no limit."""
_KIB = 1024
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def system(lines: Lines) -> System:
    """Return what the probe says of the machine and the login.

    Raises:
        ProbeError: The kernel, the user id, the home or the clock is missing.
    """
    name, hostname, release, architecture = [*lines.needed("uname").split(), "", "", "", ""][:4]
    release_file = _os_release(lines)
    libc, glibc = _libc(lines)
    memory = dict(text.split(":", 1) for text in lines.all("meminfo") if ":" in text)
    uid = number(lines.needed("uid"))
    return System(
        kernel=release,
        architecture=architecture,
        os=release_file.get("PRETTY_NAME"),
        os_id=" ".join(release_file[key] for key in ("ID", "ID_LIKE") if release_file.get(key)) or None,
        libc=libc,
        glibc=glibc,
        hostname=hostname,
        user=lines.first("user") or str(uid),
        uid=-1 if uid is None else uid,
        home=lines.needed("home"),
        login_shell=lines.first("shell"),
        sudo=lines.first("sudo") or "none",
        clock=number(lines.needed("clock")) or 0,
        boot_id=lines.first("boot_id"),
        machine_id=lines.first("machine_id"),
        virtualisation=_virtualisation(lines),
        cloud=cloud(dict(text.split("=", 1) for text in lines.all("dmi") if "=" in text)),
        init=lines.first("init"),
        cpus=number(lines.first("cpus")) or 0,
        memory=_kib(memory.get("MemTotal")) or 0,
        memory_limit=_memory_limit(lines),
        shm=size(lines, "/dev/shm"),  # noqa: S108 - where the system has it
        tools=frozenset(lines.all("tool")),
        locked=lines.first("locked"),
        kill_user_processes=_kill_user_processes(lines),
        system=name,
        memory_available=_kib(memory.get("MemAvailable")),
    )


def home_owned(lines: Lines) -> bool:
    """Return whether home is the login user's, and neither the world nor a shared group can write it."""
    owner, group, mode = [*(lines.first("home.stat") or "").split(), "", "", ""][:3]
    if not re.fullmatch(r"[0-7]{1,5}", mode):
        return True  # it could not be read: nothing is known against it
    bits = int(mode, 8)
    shared = bool(bits & 0o020) and group not in {lines.first("user"), "root"}
    return owner == lines.first("uid") and not bits & 0o002 and not shared


def _os_release(lines: Lines) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in lines.all("os"):
        key, equals, value = text.partition("=")
        if equals and key not in found:
            found[key] = value.strip().strip("\"'")
    return found


def _libc(lines: Lines) -> tuple[str | None, str | None]:
    said = lines.first("libc") or ""
    if "musl" in said:
        return "musl", None
    version = _VERSION.findall(said)
    if said.startswith("glibc") or "GLIBC" in said or "GNU libc" in said or "GNU C Library" in said:
        return "glibc", version[-1] if version else None
    return None, None


def _virtualisation(lines: Lines) -> str | None:
    said = lines.first("virtualisation")
    return None if said == "none" else said


def _kib(text: str | None) -> int | None:
    value = number(text)
    return None if value is None else value * _KIB


def _memory_limit(lines: Lines) -> int | None:
    limits = [value for text in lines.all("cgroup") if (value := number(text)) is not None and value < _UNLIMITED]
    return min(limits, default=None)


def _kill_user_processes(lines: Lines) -> bool | None:
    """What the last word of logind's files is: drop-ins by their names, then /etc above /usr/lib."""
    if lines.first("logind") is None:
        return None
    if lines.first("logind") == "absent":
        return False
    said: list[tuple[tuple[int, str], bool]] = []
    for text in lines.all("logind.line"):
        path, colon, setting = text.partition(":")
        if not colon:
            continue
        commented = setting.lstrip().startswith("#")
        folder, _, name = path.rpartition("/")
        # A commented line shows what the distribution compiled in.
        alone = 0 if commented else 2 if folder.startswith("/etc") else 1
        rank = (3, name) if folder.endswith(".d") else (alone, "")
        if commented and rank[0]:
            continue
        value = setting.partition("=")[2].strip().lower()
        said.append((rank, value in {"yes", "true", "on", "1"}))
    return max(said, key=lambda one: one[0])[1] if said else None
