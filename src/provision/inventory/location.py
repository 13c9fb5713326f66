"""Where hosts.yaml is looked for, and who else may write it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from provision.decode.document import shown_path
from provision.errors import BadFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "hosts.yaml"


def find_inventory(
    start: Path, explicit: str | Path | None, environ: Mapping[str, str], root: Path | None = None
) -> Path | None:
    """Return the inventory file to use, or ``None`` where there is none.

    Taken in this order: ``explicit`` (``-i``), ``$PROVISION_INVENTORY``, hosts.yaml in ``start`` or a folder
    above it up to the repository's root (without one up to ``root``, the project's, or else the file system's),
    hosts.yaml in the XDG config folder.

    Raises:
        UsageError: the file that was named does not exist.
    """
    named = [(explicit, "-i"), (environ.get("PROVISION_INVENTORY"), "$PROVISION_INVENTORY")]
    for value, origin in named:
        if value:
            path = Path(value).expanduser()
            path = path / FILE_NAME if path.is_dir() else path
            if not path.exists():
                raise UsageError(f"{shown_path(path)}: no such file (named by {origin})")
            return path
    start = start.absolute()
    folders = (start, *start.parents)
    # A project may be a part of a repository, whose inventory is that of its projects.
    top = next((one for one in folders if (one / ".git").exists()), root)
    for folder in folders:
        candidate = folder / FILE_NAME
        if candidate.exists():
            return candidate
        if folder == top:
            break
    config = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".config")
    candidate = config / "provision" / FILE_NAME
    return candidate if candidate.exists() else None


def check_writers(path: Path, danger: str = "it runs commands") -> None:
    """Refuse a file that others can write: `danger` says why that matters; proxy commands run on this machine.

    Raises:
        BadFileError: everyone, or a group of others, can write it, or it belongs to someone else.
    """
    try:
        found = path.stat()
    except OSError:
        return  # reading it says why
    shown = shown_path(path)
    if found.st_mode & stat.S_IWOTH:
        raise BadFileError(f"{shown}: everyone on this machine can write it, and {danger}: chmod o-w {shown}")
    if found.st_mode & stat.S_IWGRP and not _own_group(found.st_gid):
        raise BadFileError(f"{shown}: a group of others can write it, and {danger}: chmod g-w {shown}")
    if os.geteuid() != 0 and found.st_uid not in (0, os.geteuid()):
        raise BadFileError(f"{shown}: it belongs to another user, and {danger}: copy it, or chown it")


def _own_group(gid: int) -> bool:
    """Whether the group is the user's private one, as systems with umask 002 make it."""
    if gid == 0 and os.geteuid() == 0:
        return True
    if gid != os.getegid():
        return False
    import grp
    import pwd

    try:
        group = grp.getgrgid(gid)
        login = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
    return group.gr_name == login and not set(group.gr_mem) - {login}
