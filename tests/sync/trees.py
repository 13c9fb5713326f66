"""Trees for the tests of sync: what git would track of a project here, and what lies on a host there."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.host import LabHost

Listing: TypeAlias = "dict[bytes, tuple[str, str]]"
"""Paths with mode (``file``, ``executable``, ``link``) and the content's sha256, or the link's target."""

GIT_ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "dev",
    "GIT_AUTHOR_EMAIL": "dev@localhost",
    "GIT_COMMITTER_NAME": "dev",
    "GIT_COMMITTER_EMAIL": "dev@localhost",
}


def git(folder: Path, *words: str, **env: str) -> bytes:
    """Run git there, apart from the developer's own settings."""
    done = subprocess.run(["git", *words], cwd=folder, env={**GIT_ENV, **env}, capture_output=True, check=True)
    return done.stdout


def tracked(project: Path, index: Path) -> Listing:
    """Return what git would track if all were added now; `index` is a scratch file."""
    index.unlink(missing_ok=True)
    git(project, "add", "--all", ".", GIT_INDEX_FILE=str(index))
    names = git(project, "ls-files", "-z", GIT_INDEX_FILE=str(index)).split(b"\0")[:-1]
    root = os.fsencode(project)
    return {name: described(os.path.join(root, name)) for name in names}


def described(path: bytes) -> tuple[str, str]:
    """Return a path's mode and content."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return "link", os.fsdecode(os.readlink(path))
    if not stat.S_ISREG(status.st_mode):
        return "other", oct(status.st_mode)
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return ("executable" if status.st_mode & stat.S_IXUSR else "file"), digest


def lying(folder: bytes, *, reserved: bool = False) -> Listing:
    """Return every file and link below a folder; what is ours in ``.provision`` only where asked for."""
    found: Listing = {}
    for parent, folders, files in os.walk(folder):
        if parent == folder and not reserved and b".provision" in folders:
            folders.remove(b".provision")
        links = [one for one in folders if os.path.islink(os.path.join(parent, one))]
        for name in (*files, *links):
            path = os.path.join(parent, name)
            if name == b"stamps.tmp" and parent == folder + b"/.provision":
                # The receiver renames it after it has answered, maybe just now; it holds nothing of anybody's.
                continue
            found[os.path.relpath(path, folder)] = described(path)
    return found


def tree_of(host: LabHost, project: str = "mymodel") -> bytes:
    """Return the folder of a host's tree as it is seen from here."""
    return os.fsencode(f"{host.root}{host.home}/work/{project}")


def kept(host: LabHost, project: str = "mymodel") -> set[str]:
    """Return the digests of everything that was kept aside on a host."""
    return {content for _, content in lying(tree_of(host, project) + b"/.provision/kept").values()}
