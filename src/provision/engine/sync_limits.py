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
TAKE_OVER = "another `project:` in provision.yaml gives it a folder of its own; --take-over makes this one yours"


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


def refuse_other_owner(answer: Answer, origin: Origin) -> None:
    """Raise `StepFailedError` where the tree is another's."""
    owner = answer.owner
    if owner is not None and not is_ours(answer, origin):
        raise StepFailedError(
            f"{printable(answer.tree)} is the tree of {owner.who or 'somebody else'}, from {owner.root}", hint=TAKE_OVER
        )


def refuse_strangers(answer: Answer, paths: Iterable[bytes]) -> None:
    """Raise `StepFailedError` where no sync ever was, and something stands there under one of our names."""
    ours = {path.partition(b"/")[0] for path in paths}
    strange = [printable(name.decode("utf-8", "backslashreplace")) for name in answer.top if name in ours]
    if strange:
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        raise StepFailedError(
            f"{printable(answer.tree)} holds files that no sync put there: {', '.join(strange[:NAMED])}{more}",
            hint=f"{TAKE_OVER}, and keeps what is different aside",
        )


def _there_in_part(answer: Answer, entry: Entry) -> int:
    """Return the bytes of a file that an earlier, broken sync brought."""
    return min(answer.partial.get(entry.sha256.hex(), 0), entry.size)


def judge_room(answer: Answer, delta: Delta, sizes: Sequence[int], target: Manifest | None) -> None:
    """Raise `StepFailedError` where the host's disk cannot hold what would come.

    `sizes` are those of what is sent; without a `target` hashes are not known yet, and so not what is there in part.
    """
    needed = room(sizes)
    if target is not None:
        needed += room(target.entry(path).size for path, _ in delta.copied)
        needed -= sum(_there_in_part(answer, target.entry(path)) for path in delta.send)
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
