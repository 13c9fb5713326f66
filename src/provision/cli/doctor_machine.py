"""The health of this machine: what reaches hosts from here, and where provision keeps its own files."""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from provision import __version__
from provision.report.log import logs_folder
from provision.tree.state import state_folder
from provision.venv.remark import Remark, advice, ok, problem, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PATIENCE = 10.0
_OLD_OPENSSH = (7, 3)
"""The first with ProxyJump."""
_MIB = 1 << 20
_LITTLE, _TOO_LITTLE = 1024 * _MIB, 50 * _MIB
_YEARS = range(2025, 2100)
_NO_KEYS, _NO_AGENT = 1, 2
"""Exit codes of `ssh-add -l`, by its manual."""


def judge_machine(environ: Mapping[str, str], keys: Sequence[Path]) -> Iterator[Remark]:
    """Yield how it stands with this machine; `keys` are the identity files that the hosts name."""
    yield ok(
        "versions", f"provision {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    )
    ssh = Path.home() / ".ssh"
    yield from _client()
    yield from _agent(environ)
    yield from _keys(ssh, keys)
    yield from _files(ssh)
    yield from _git()
    yield from _clock()
    yield from _room(environ)


def _client() -> Iterator[Remark]:
    done = _ran("ssh", "-V")
    if done is None:
        text = "no ssh client: provision reads the aliases of ssh_config itself, as far as it can"
        yield advice("ssh-client", text, "install OpenSSH's client")
        return
    said = (done.stderr or done.stdout).strip().partition("\n")[0]
    found = re.match(r"OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)", said)
    if found is not None and (int(found[1]), int(found[2])) < _OLD_OPENSSH:
        yield advice("ssh-client", f"{said}: too old for jump hosts", "install a newer OpenSSH")
    else:
        yield ok("ssh-client", said.partition(",")[0])


def _agent(environ: Mapping[str, str]) -> Iterator[Remark]:
    socket = environ.get("SSH_AUTH_SOCK")
    if not socket:
        yield ok("ssh-agent", "no agent runs (SSH_AUTH_SOCK is not set): keys are read from their files")
        return
    done = _ran("ssh-add", "-l")
    if done is None:
        yield ok("ssh-agent", f"SSH_AUTH_SOCK is {socket}; without ssh-add its keys are not known")
    elif done.returncode == 0:
        names = tuple(line.split()[-2] if len(line.split()) > 3 else line for line in done.stdout.splitlines())  # noqa: PLR2004 - bits, fingerprint, comment, type
        yield ok("ssh-agent", f"the agent has {len(names)} {'key' if len(names) == 1 else 'keys'}: {some(names)}")
    elif done.returncode == _NO_KEYS:
        yield ok("ssh-agent", "the agent runs and has no keys")
    else:
        text = f"SSH_AUTH_SOCK is {socket}, and no agent answers there"
        yield advice("ssh-agent", text, "start one, or unset SSH_AUTH_SOCK")


def _keys(ssh: Path, named: Sequence[Path]) -> Iterator[Remark]:
    """Judge private keys by what ssh demands of them: nobody else may read them."""
    try:
        mode = ssh.stat()
        if mode.st_uid not in (os.geteuid(), 0) or mode.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield problem("ssh-folder", f"others can write {ssh}", f"chmod 700 {ssh}")
    except OSError:
        yield advice("ssh-folder", f"there is no {ssh}", "ssh-keygen -t ed25519    makes it, with a key")
    default = sorted(one for one in _entries(ssh) if re.fullmatch(r"id_[a-z0-9_]+", one.name))
    keys = list(dict.fromkeys((*default, *named)))
    absent = tuple(str(one) for one in named if not one.exists())
    if absent:
        yield problem("ssh-keys-absent", f"hosts.yaml names keys that are not here: {some(absent)}", names=absent)
    open_ = tuple(str(one) for one in keys if _others_may(one))
    unread = tuple(str(one) for one in keys if one.exists() and not os.access(one, os.R_OK))
    if open_:
        text = f"private keys that others can read, which ssh refuses: {some(open_)}"
        yield problem("ssh-keys-open", text, f"chmod 600 {' '.join(open_[:3])}", open_)
    if unread:
        yield problem("ssh-keys-unread", f"private keys that you cannot read: {some(unread)}", names=unread)
    if keys and not open_ and not unread and not absent:
        what = "one key" if len(keys) == 1 else f"{len(keys)} keys"
        yield ok("ssh-keys", f"{what}, readable by you alone: {some([one.name for one in keys])}")


def _files(ssh: Path) -> Iterator[Remark]:
    known = ssh / "known_hosts"
    if known.exists() and not os.access(known, os.R_OK):
        yield problem("known-hosts", f"{known} cannot be read: every host is a new one", f"chmod 600 {known}")
    elif known.exists() and not os.access(known, os.W_OK):
        yield advice("known-hosts", f"{known} cannot be written: ssh cannot remember new hosts", f"chmod 600 {known}")
    else:
        yield ok("known-hosts", f"{known} " + ("can be read and written" if known.exists() else "is not there yet"))
    config = ssh / "config"
    if not config.exists():
        return
    state = config.stat()
    if not os.access(config, os.R_OK):
        yield problem("ssh-config", f"{config} cannot be read: its aliases are not known", f"chmod 600 {config}")
    elif state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or state.st_uid not in (os.geteuid(), 0):
        yield problem("ssh-config", f"others can write {config}, which ssh refuses", f"chmod 600 {config}")
    else:
        yield ok("ssh-config", f"{config} can be read")


def _git() -> Iterator[Remark]:
    done = _ran("git", "--version")
    if done is None or done.returncode != 0:
        text = "no git: sync cannot tell which files of the project are ignored"
        yield advice("git", text, "install git")
    else:
        yield ok("git", done.stdout.strip().partition("\n")[0])


def _clock() -> Iterator[Remark]:
    year = time.gmtime().tm_year
    if year not in _YEARS:
        yield problem(
            "clock", f"this machine thinks that it is {year}: certificates and signatures fail", "set its clock"
        )
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))


def _room(environ: Mapping[str, str]) -> Iterator[Remark]:
    """Judge the folders that provision writes to: each by the nearest one that is there."""
    for folder in dict.fromkeys((state_folder(), logs_folder(environ))):
        there = next(one for one in (folder, *folder.parents) if one.exists())
        try:
            free = shutil.disk_usage(there).free
        except OSError as error:
            yield problem("room", f"{folder}: {error.strerror or error}")
            continue
        shown = f"{free / (1 << 30):.1f} GiB free for {folder}"
        if not os.access(there, os.W_OK | os.X_OK):
            yield problem("room", f"{folder} cannot be written", f"whose is {there}?")
        elif free < _TOO_LITTLE:
            yield problem("room", shown, "make room: what runs did and which hosts are known is kept there")
        elif free < _LITTLE:
            yield advice("room", shown, "make room")
        else:
            yield ok("room", shown)


def _others_may(path: Path) -> bool:
    try:
        return path.is_file() and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _ran(*words: str) -> subprocess.CompletedProcess[str] | None:
    """Return how a program ended; ``None``: it is not there, or hangs."""
    try:
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
