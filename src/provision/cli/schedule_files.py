"""The files that a scheduled run reads: their digests, and what has become of them since."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from provision.playbook.files import load_playbook
from provision.solving.lock_files import find_locks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.cli.workspace import Workspace
    from provision.model.host import Host

GIT_PATIENCE = 20.0


def digests(workspace: Workspace, hosts: Iterable[Host], playbook: str | None) -> dict[str, str]:
    """Return the SHA-256 of each file: inventory, provision.yaml, playbooks, environment files and their locks.

    Raises:
        UsageError: a playbook cannot be taken.
    """
    project = workspace.project
    files: list[Path] = [workspace.inventory.path] if workspace.inventory.path is not None else []
    files += [project.file] if project.file is not None else []
    for one in sorted({playbook or host.playbook for host in hosts}):
        found = load_playbook(one, project.root)
        # What comes with provision is of its version.
        files += [found.path] if found.path is not None and found.origin != "shipped" else []
    for environment in project.environments:
        for _, path in environment.files:
            files.append(path)
            files += [Path(lock.source) for lock in find_locks(path) if lock.source is not None]
    return {str(path.absolute()): _digest(path) for path in files}


def changed(recorded: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """Return the files that differ, are new, or are gone."""
    return sorted(path for path in {*recorded, *present} if recorded.get(path) != present.get(path))


def uncommitted(paths: Iterable[str]) -> list[str]:
    """Return the files whose present content no commit of a git repository has."""
    return [path for path in paths if not _committed(Path(path))]


def _committed(path: Path) -> bool:
    folder = path.parent
    if not folder.is_dir() or _git(folder, "rev-parse", "--verify", "-q", "HEAD") != 0:
        return False
    tracked = _git(folder, "ls-files", "--error-unmatch", "--", path.name) == 0
    if not path.exists():
        # Gone: committed where nothing of it is left in the index, and the last commit has it no more.
        return not tracked and _git(folder, "cat-file", "-e", f"HEAD:./{path.name}") != 0
    return tracked and _git(folder, "diff", "--quiet", "--no-ext-diff", "HEAD", "--", path.name) == 0


def _git(folder: Path, *words: str) -> int:
    try:
        return subprocess.run(
            ["git", "--literal-pathspecs", "-C", str(folder), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_PATIENCE,
            check=False,
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return -1


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"
