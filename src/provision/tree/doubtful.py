"""Looks for secrets among files that are about to be sent for the first time."""

from __future__ import annotations

import os
from bisect import bisect_left
from typing import TYPE_CHECKING

from provision.sync.manifest import LINK
from provision.sync.secrets import LARGEST, by_content, by_name, needs_look
from provision.tree.git import untracked
from provision.tree.listing import open_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from provision.tree.listing import Scan

MOST_LOOKED_AT = 5000
"""Files that are opened, those nearest to the root first: a data set of small files is no place to look."""
FEW = 100
"""So few are opened in less time than git takes to say which of them it tracks."""


def doubtful(scan: Scan, new: Collection[str]) -> dict[str, str]:
    """Return the paths among `new` that look like secrets, and what each seems to be.

    Names tell of every file. Content tells of small files that git does not track (what is tracked, others have
    already), of certificates and the like, where only the content tells, and of what a link out of the project leads
    to: git tracks the link alone.
    """
    place = _places(scan, new)
    real = {os.fsdecode(path): os.fsdecode(there) for path, there in scan.followed.items()}
    found = {}
    for path in new:
        what = by_name(path) or by_name(real.get(path, path)) if path in place else None
        if what is not None:
            found[path] = what
    small = [path for path in new if path in place and path not in found and scan.sizes[place[path]] <= LARGEST]
    sure = {path for path in small if needs_look(path)}

    def look(paths: Iterable[str]) -> dict[str, str]:
        said = {path: by_content(real.get(path, path), _content(scan, path)) for path in paths}
        return {path: what for path, what in said.items() if what is not None}

    if len(small) <= FEW:
        seen = look(small)
        if not seen.keys() <= sure:
            others = _others(scan, seen, real)
            seen = {path: what for path, what in seen.items() if path in sure or path in others}
    else:
        others = _others(scan, small, real)
        others.sort(key=lambda path: path.count("/"))
        seen = look(dict.fromkeys((*sure, *others[:MOST_LOOKED_AT])))
    return found | seen


def _places(scan: Scan, new: Collection[str]) -> dict[str, int]:
    """Return where in the scan each of these paths is, links aside."""
    if len(new) <= FEW:
        found = [(path, bisect_left(scan.paths, os.fsencode(path))) for path in new]
        names = [(path, at) for path, at in found if scan.paths[at : at + 1] == [os.fsencode(path)]]
    else:
        names = [(os.fsdecode(path), at) for at, path in enumerate(scan.paths)]
    return {path: at for path, at in names if scan.kinds[at] != LINK}


def _others(scan: Scan, paths: Iterable[str], real: Mapping[str, str]) -> list[str]:
    """Return those of these paths that git does not track, or whose content is not what git tracks."""
    loose = untracked(scan.root)
    return [path for path in paths if loose is None or path in real or os.fsencode(path) in loose]


def _content(scan: Scan, path: str) -> bytes:
    try:
        with open(open_file(scan, os.fsencode(path)), "rb") as stream:
            return stream.read(LARGEST)
    except OSError:
        return b""  # Whoever sends it meets the same trouble, and tells it.
