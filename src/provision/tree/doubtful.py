"""Looks for secrets among files that are about to be sent for the first time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provision.sync.manifest import LINK
from provision.sync.secrets import LARGEST, by_content, by_name, needs_look
from provision.tree.git import untracked
from provision.tree.listing import open_file

if TYPE_CHECKING:
    from collections.abc import Collection

    from provision.tree.listing import Scan

MOST_LOOKED_AT = 5000
"""Files that are opened, those nearest to the root first: a data set of small files is no place to look."""


def doubtful(scan: Scan, new: Collection[str]) -> dict[str, str]:
    """Return the paths among `new` that look like secrets, and what each seems to be.

    Names tell of every file. Content tells of small files that git does not track (what is tracked, others have
    already), of certificates and the like, where only the content tells, and of what a link out of the project leads
    to: git tracks the link alone.
    """
    place = {os.fsdecode(path): at for at, path in enumerate(scan.paths) if scan.kinds[at] != LINK}
    real = {os.fsdecode(path): os.fsdecode(there) for path, there in scan.followed.items()}
    found = {}
    for path in new:
        what = by_name(path) or by_name(real.get(path, path)) if path in place else None
        if what is not None:
            found[path] = what
    small = [path for path in new if path in place and path not in found and scan.sizes[place[path]] <= LARGEST]
    sure = [path for path in small if needs_look(path)]
    loose = untracked(scan.root)
    others = [path for path in small if loose is None or path in real or os.fsencode(path) in loose]
    others.sort(key=lambda path: path.count("/"))
    for path in dict.fromkeys((*sure, *others[:MOST_LOOKED_AT])):
        what = by_content(real.get(path, path), _content(scan, path))
        if what is not None:
            found[path] = what
    return found


def _content(scan: Scan, path: str) -> bytes:
    try:
        with open(open_file(scan, os.fsencode(path)), "rb") as stream:
            return stream.read(LARGEST)
    except OSError:
        return b""  # Whoever sends it meets the same trouble, and tells it.
