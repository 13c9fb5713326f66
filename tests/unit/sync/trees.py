"""Generated manifests, and a decoder of records of its own: it knows the protocol, and not how it is written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from provision.sync.manifest import EXECUTABLE, FILE, LINK, Entry, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

names = st.sampled_from([b"a", b"b", b"c", b"d e", b"\xff", b"x\ny", "é".encode(), b"-rf"])
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
sizes = st.sampled_from([0, 1, 70_000, 5 << 20])
entries = st.builds(
    lambda kind, number, size: Entry(kind, size, hashlib.sha256(b"%d %d" % (number, size)).digest()),
    st.sampled_from([FILE, EXECUTABLE, LINK]),
    st.integers(0, 3),
    sizes,
)


def _without_conflicts(found: Mapping[bytes, Entry]) -> Manifest:
    """A path that is a folder is no file."""
    folders = {b"/".join(path.split(b"/")[:count]) for path in found for count in range(1, path.count(b"/") + 1)}
    return Manifest.of({path: entry for path, entry in found.items() if path not in folders})


manifests = st.dictionaries(paths, entries, max_size=12).map(_without_conflicts)


def records(stream: bytes) -> Iterator[tuple[bytes, ...]]:
    """Take records without content apart: type, kind and what follows."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        piece = stream[at : at + count]
        assert len(piece) == count, "the stream ended early"
        at += count
        return piece

    def text() -> bytes:
        return take(int.from_bytes(take(2), "big"))

    while at < len(stream):
        what = take(1)
        if what == b"F":
            kind, path = take(1), text()
            yield what, kind, path, take(int.from_bytes(take(4), "big"))
        elif what == b"L":
            yield what, text(), text()
        elif what == b"B":
            kind, path, size, digest, offset = take(1), text(), take(8), take(32), take(8)
            rest = take(int.from_bytes(size, "big") - int.from_bytes(offset, "big"))
            yield what, kind, path, size, digest, offset, rest
        elif what == b"K":
            yield what, take(1), text(), text(), take(8), take(32)
        elif what in (b"M", b"U"):
            yield what, take(1), text()
        elif what == b"D":
            yield what, text()
        else:
            assert what == b"Z"
            yield what, take(32)
