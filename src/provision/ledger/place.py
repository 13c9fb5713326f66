"""Where the ledger is, and whether several processes may map its memory there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "ledger.sqlite"
MOUNTS = "/proc/self/mountinfo"
NETWORK = frozenset(
    (
        "9p",
        "acfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "cvmfs",
        "fuse.ceph",
        "fuse.ceph-fuse",
        "fuse.glusterfs",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "wekafs",
    )
)
"""File systems, by the kernel's names, whose files other machines may hold open at the same time."""
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


def ledger_path(environ: Mapping[str, str]) -> Path:
    """Return ``provision/ledger.sqlite`` below $XDG_STATE_HOME (where that is absolute, as its specification asks)."""
    state = environ.get("XDG_STATE_HOME", "")
    home = Path(environ.get("HOME") or Path.home())
    return (Path(state) if state.startswith("/") else home / ".local" / "state") / "provision" / NAME


def on_network(folder: Path, mounts: str = MOUNTS) -> bool:
    """Return whether a folder is on a network's file system; where nobody tells (macOS), a local one is assumed."""
    try:
        with Path(mounts).open(encoding="utf-8", errors="surrogateescape") as stream:
            return file_system(os.path.realpath(folder), stream.read()) in NETWORK
    except OSError:
        return False


def file_system(path: str, mounts: str) -> str | None:
    """Return the kernel's name of the file system that a path is on; of several mounted on one place, the last counts.

    Args:
        path: Absolute, without symbolic links.
        mounts: The text of mountinfo, see proc_pid_mountinfo(5).
    """
    longest, found = -1, None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split(" ")
        if len(words) < 5 or not after:  # noqa: PLR2004 - the fifth is the mount point
            continue
        point = words[4]
        for escape, meant in _ESCAPES.items():
            point = point.replace(escape, meant)
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:
            longest, found = len(point), after.split(" ")[0]
    return found
