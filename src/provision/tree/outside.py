"""Links that lead out of the tree: on the host they would point to other files than here, or to none."""

from __future__ import annotations

import os
import stat
from typing import Literal

from provision.errors import UsageError
from provision.tree.walk import SPECIAL

OutsideLinks = Literal["refuse", "follow", "skip"]

_MOST_LINKS = 40
"""One after another, as in the kernel."""
_SHOWN = 5


def leads_out(root: bytes, path: bytes, target: bytes) -> bool:
    """Return whether a link points out of the tree: absolute, by ``..``, or through another link that does."""
    place = path.split(b"/")[:-1]
    todo = target.split(b"/")[::-1]
    if target.startswith(b"/"):
        return True
    links = 0
    while todo:
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            if not place:
                return True
            place.pop()
            continue
        place.append(part)
        try:
            further = os.readlink(os.path.join(root, *place))
        except OSError:
            continue  # no link, or nothing there: as it is
        links += 1
        if links > _MOST_LINKS:
            return False
        if further.startswith(b"/"):
            return True
        place.pop()
        todo.extend(further.split(b"/")[::-1])
    return False


def refusal(links: list[tuple[bytes, bytes]]) -> UsageError:
    """Return the error that names links out of the tree."""
    shown = [f"{os.fsdecode(path)} -> {os.fsdecode(target)}" for path, target in links[:_SHOWN]]
    if len(links) > _SHOWN:
        shown.append(f"and {len(links) - _SHOWN} more")
    return UsageError(
        f"links that point out of the project, where the hosts have other files: {'; '.join(shown)}",
        hint="leave them out in .provisionignore, or set `links: follow` (send what they point to) or `links: skip` "
        "in provision.yaml",
    )


def followed(root: bytes, path: bytes) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, str]]]:
    """Return the files that a link leads to, each as its path in the tree and its real one; and what cannot go."""
    files: list[tuple[bytes, bytes]] = []
    skipped: list[tuple[bytes, str]] = []
    todo: list[tuple[bytes, bytes, tuple[bytes, ...]]] = [(path, os.path.join(root, path), ())]
    home = os.path.realpath(root)
    while todo:
        name, place, above = todo.pop()
        real = os.path.realpath(place)
        try:
            mode = os.stat(real).st_mode
            inside = os.listdir(real) if stat.S_ISDIR(mode) else []
        except OSError as error:
            skipped.append((name, f"points to what cannot be read: {error.strerror}"))
            continue
        if stat.S_ISREG(mode):
            files.append((name, real))
        elif not stat.S_ISDIR(mode):
            skipped.append((name, SPECIAL))
        elif real in above or (home + b"/").startswith(real.rstrip(b"/") + b"/"):
            skipped.append((name, "points to a folder that it is in itself"))
        else:
            todo.extend(
                (name + b"/" + one, os.path.join(real, one), (*above, real)) for one in inside if one != b".git"
            )
    return files, skipped
