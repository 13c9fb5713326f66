"""Is there room, and may we write: judged before anything is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import Facts


def error(code: str, message: str, fix: str) -> Finding:
    """Return a finding that forbids to go on."""
    return Finding(code, Severity.ERROR, message, fix)


def room(facts: Facts, path: str, need: int, what: str) -> Iterable[Finding]:
    """Yield the findings on the file system that something will be written to."""
    disk = facts.disk(path)
    if disk is None:
        return
    if not disk.writable:
        yield error(
            "NOT-WRITABLE",
            f"{path} cannot be written",
            "give another `prefix:` or `state_dir:`, or its owner",
        )
    if disk.noexec:
        yield error("NOEXEC", f"{path} is on {disk.mount}, mounted noexec: nothing there can run", "name another disk")
    if disk.free < need:
        yield error(
            "DISK-SMALL",
            f"{what} needs {need / 1e9:.1f} GB, and {disk.mount} has {disk.free / 1e9:.1f} GB free",
            "free some, or name a larger disk: `state_dir:` in hosts.yaml, `prefix:` in the playbook",
        )
    if disk.free_inodes is not None and disk.free_inodes < 20_000:  # noqa: PLR2004 - a base prefix has about 15,000 files
        yield error("INODES-FEW", f"{disk.mount} has {disk.free_inodes} inodes free", "name another disk")
