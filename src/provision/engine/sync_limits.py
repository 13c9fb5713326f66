"""What must not be overrun on a host: somebody else's tree, files that no sync put there, and its disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import StepFailedError
from provision.sync.answers import printable
from provision.sync.delta import room
from provision.sync.sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.model.sync import Origin
    from provision.sync.answers import Answer
    from provision.sync.delta import Delta
    from provision.sync.manifest import Entry, Manifest

NAMED = 5
"""Names that a message lists."""
OWN_FOLDER = "set another `workdir:` in hosts.yaml"


def is_ours(answer: Answer, origin: Origin) -> bool:
    """Whether the tree is recorded as this machine's and this folder's, or as nobody's."""
    owner = answer.owner
    return owner is None or (owner.client, owner.root) == (origin.client, printable(origin.root, 300))


def is_older(answer: Answer, origin: Origin) -> bool:
    """Whether the host has the tree recorded as that of another commit or branch."""
    owner = answer.owner
    known = (owner.commit, owner.branch) if owner is not None else None
    return origin.commit is not None and known != (printable(origin.commit, 300), _shown(origin.branch))


def _shown(text: str | None) -> str | None:
    return None if text is None else printable(text, 300)


def other_owner(answer: Answer, origin: Origin) -> str:
    """Return whose tree it is as ``user@machine, from /folder``; empty where it is ours or nobody's."""
    owner = answer.owner
    return "" if owner is None or is_ours(answer, origin) else f"{owner.who or 'somebody else'}, from {owner.root}"


def refuse_other_owner(answer: Answer, origin: Origin) -> None:
    """Raise `StepFailedError` where the tree is another's."""
    whose = other_owner(answer, origin)
    if whose:
        raise StepFailedError(
            f"{printable(answer.tree)} is the tree of {whose}",
            hint=f"--take-over makes it yours; or {OWN_FOLDER}",
        )


def standing(answer: Answer, paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the names at the top of a tree without a record that are also ours."""
    ours = {path.partition(b"/")[0] for path in paths} if answer.top else set()
    return tuple(name for name in answer.top if name in ours)


def refuse_strangers(answer: Answer, paths: Iterable[bytes]) -> None:
    """Raise `StepFailedError` where no sync ever was, and something stands there under one of our names."""
    strange = [printable(name.decode("utf-8", "backslashreplace")) for name in standing(answer, paths)]
    if strange:
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        raise StepFailedError(
            f"{printable(answer.tree)} has files of the same names, which no sync put there: "
            f"{', '.join(strange[:NAMED])}{more}",
            hint=f"--take-over goes on there: equal files stay, others are kept aside; or {OWN_FOLDER}",
        )


def there_in_part(answer: Answer, entry: Entry) -> int:
    """Return the bytes of a file that an earlier, broken sync brought."""
    return min(answer.partial.get(entry.sha256.hex(), 0), entry.size)


def judge_room(answer: Answer, delta: Delta, sizes: Sequence[int], target: Manifest | None) -> None:
    """Raise `StepFailedError` where the host's disk cannot hold what would come.

    `sizes` are those of what is sent; without a `target` hashes are not known yet, and so not what is there in part.
    """
    needed = room(sizes)
    if target is not None:
        needed += room(target.entry(path).size for path, _ in delta.copied)
        needed -= sum(there_in_part(answer, target.entry(path)) for path in delta.send)
    place = printable(answer.tree)
    if answer.free_bytes is not None and needed > answer.free_bytes:
        raise StepFailedError(
            f"{sized(needed)} would come to {place}, and {sized(answer.free_bytes)} are free there",
            hint="make room on the host, leave large files out in .provisionignore, or name another `workdir:`",
        )
    paths = [*delta.send, *(path for path, _ in delta.copied)]
    folders = {path.rpartition(b"/")[0] for path in paths}
    inodes = len(paths) + len(folders)
    if answer.free_files is not None and inodes > answer.free_files:
        raise StepFailedError(
            f"{inodes:,} files and folders would come to {place}, and its file system takes {answer.free_files:,} more",
            hint="remove some there, or name another `workdir:` in hosts.yaml",
        )
