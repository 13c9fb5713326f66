"""Generated trees and edit sequences: what a developer does here, and what happens on the host meanwhile."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

NAMES = (
    *(b"a", b"A", b"b", b"src", b"data", b"model.py", b"-rf", b" sp ace ", b"new\nline", b"q'uo\"te", b"\xff\xfe"),
    *("é".encode(), "e\u0301".encode(), b"x" * 255, b".hidden", b"*", b"[ab]", b"#h", b"!n", b":c", b"back\\slash"),
    *(b"$HOME", b"keep.log", b"run.log", b"..a", b"...", b"~", b"\x1b[31m"),
)
"""Few enough to meet each other: files become folders, names differ in case alone."""
IGNORED = (b"*.log\n", b"/data/\n", b"*.log\n!keep.log\n", b"src/a\n", b"\n# nothing\n")

Path: TypeAlias = bytes


@dataclass(frozen=True)
class Put:
    """A file is written, whatever was at its path."""

    path: Path
    content: bytes
    executable: bool


@dataclass(frozen=True)
class Link:
    """A link is made; its target is below the link's own folder."""

    path: Path
    target: bytes


@dataclass(frozen=True)
class Remove:
    """A file, a link or a whole folder goes."""

    path: Path


@dataclass(frozen=True)
class Rename:
    """Something gets another path."""

    path: Path
    to: Path


@dataclass(frozen=True)
class Mode:
    """The executable bit is turned over."""

    path: Path


@dataclass(frozen=True)
class There:
    """On the host a file is written, over one of ours or beside them; the content is nowhere else."""

    path: Path
    content: bytes


@dataclass(frozen=True)
class GoneThere:
    """On the host something is removed."""

    path: Path


Edit: TypeAlias = "Put | Link | Remove | Rename | Mode | There | GoneThere"

names = st.sampled_from(NAMES)
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
contents = st.one_of(st.just(b""), st.sampled_from([b"one\n", b"two\n", b"a" * 5000]), st.binary(max_size=64))
here = st.one_of(
    st.builds(Put, paths, contents, st.booleans()),
    st.builds(Put, st.sampled_from([b".gitignore", b"src/.gitignore"]), st.sampled_from(IGNORED), st.just(value=False)),
    st.builds(Link, paths, st.lists(names, min_size=1, max_size=2).map(b"/".join)),
    st.builds(Remove, paths),
    st.builds(Rename, paths, paths),
    st.builds(Mode, paths),
)
there = st.one_of(
    st.builds(There, paths, st.binary(min_size=12, max_size=12)),
    st.builds(GoneThere, paths),
)
sequences = st.lists(
    st.tuples(st.lists(here, min_size=1, max_size=12), st.lists(there, max_size=4)), min_size=1, max_size=4
)
"""For each sync: the edits here before it, and what happens on the host before it."""


def edit(root: bytes, one: Edit) -> None:
    """Do an edit in a project; one that is not possible as things are is left out."""
    match one:
        case Put(path, content, executable):
            with _room(root, path) as place, open(place, "wb") as file:
                file.write(content)
            os.chmod(place, 0o755 if executable else 0o644)
        case Link(path, target):
            with _room(root, path) as place:
                os.symlink(target, place)
        case Remove(path):
            if _parents_are_folders(root, path):
                _remove(os.path.join(root, path))
        case Rename(path, to):
            source = os.path.join(root, path)
            inside = to == path or to.startswith(path + b"/") or path.startswith(to + b"/")
            if not inside and _parents_are_folders(root, path) and os.path.lexists(source):
                with _room(root, to) as place:
                    if os.path.lexists(source):
                        os.rename(source, place)
        case Mode(path):
            place = os.path.join(root, path)
            if _parents_are_folders(root, path) and os.path.isfile(place) and not os.path.islink(place):
                os.chmod(place, os.stat(place).st_mode ^ 0o111)
        case _:
            raise AssertionError(one)


def happen(root: bytes, one: Edit, owner: int) -> bytes | None:
    """Let something happen in a host's tree; return the content that must never be lost."""
    place = os.path.join(root, one.path)
    if not _parents_are_folders(root, one.path):
        return None
    if isinstance(one, GoneThere):
        if os.path.lexists(place) and not (os.path.isdir(place) and not os.path.islink(place)):
            os.unlink(place)
        return None
    assert isinstance(one, There)
    if os.path.isdir(place) or os.path.islink(place):
        return None
    folder = root
    for part in one.path.split(b"/")[:-1]:
        folder = os.path.join(folder, part)
        if not os.path.isdir(folder):
            os.mkdir(folder)
            os.chown(folder, owner, owner)
    with open(place, "wb") as file:
        file.write(one.content)
    os.chown(place, owner, owner)
    return one.content


class _room:  # noqa: N801 - used as a word
    """Makes room for a path: what is in its way goes, its folders are made."""

    def __init__(self, root: bytes, path: bytes) -> None:
        self._root, self._path = root, path

    def __enter__(self) -> bytes:
        place = self._root
        parts = self._path.split(b"/")
        for part in parts[:-1]:
            place = os.path.join(place, part)
            if os.path.lexists(place) and (os.path.islink(place) or not os.path.isdir(place)):
                os.unlink(place)
            if not os.path.isdir(place):
                os.mkdir(place)
        place = os.path.join(place, parts[-1])
        _remove(place)
        return place

    def __exit__(self, *_: object) -> None:
        pass


def _remove(place: bytes) -> None:
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)


def _parents_are_folders(root: bytes, path: bytes) -> bool:
    """Return whether nothing on the way to a path is a link or a file: else it means something else."""
    place = root
    for part in path.split(b"/")[:-1]:
        place = os.path.join(place, part)
        if os.path.islink(place) or (os.path.lexists(place) and not os.path.isdir(place)):
            return False
    return True
