"""One YAML file: its tree, the values decoded from it, and all that is wrong with it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from provision.decode.convert import Converter
from provision.decode.nodes import Mapping, Node, Scalar, Sequence, tree
from provision.decode.text import LIMIT, RefusedTextError, printable, text_of
from provision.errors import BadFileError

if TYPE_CHECKING:
    import pathlib

T = TypeVar("T")

_LONGEST_PATH = 8
MOST_PROBLEMS = 200
"""Noted in one file: whoever mends it runs again, and a search for a near match costs time for each."""

Path: TypeAlias = "tuple[str | int, ...]"
"""Where a value stands: keys and list positions from the root."""


class Problem(NamedTuple):
    """One thing that is wrong in a file."""

    line: int
    path: Path
    message: str


class Document:
    """A parsed file that collects its problems: the first by line is reported, the others are counted."""

    def __init__(self, source: str, root: Node) -> None:
        self.source = source
        self.root = root
        self.problems: list[Problem] = []

    def decode(self, kind: type[T], path: Path = ()) -> T:
        """Return the value at a path as that type.

        Raises:
            BadFileError: when it is not one; names the file's first problem.
        """
        if not path and isinstance(self.root, Scalar) and self.root.empty:
            raise BadFileError(f"{self.source}:1: nothing stands in this file")
        value = self.attempt(kind, path)
        self.check()
        assert value is not None  # noqa: S101 - no problem means a value
        return value

    def attempt(self, kind: type[T], path: Path = ()) -> T | None:
        """Return the value at a path as that type, or ``None`` with the problems noted."""
        node = self.find(path)
        before = len(self.problems)
        value: T = Converter(self.note).convert(kind, node, path)
        return value if len(self.problems) == before else None

    def find(self, path: Path) -> Node:
        """Return the node at a path, or the nearest one above it that exists."""
        node = self.root
        for step in path:
            below: Node | None = None
            if isinstance(node, Mapping):
                below = node.get(str(step))
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
                below = node.items[step]
            if below is None:
                return node
            node = below
        return node

    def line(self, path: Path) -> int:
        """Return the line of the key (or list item) at a path, counted from 1."""
        parent = self.find(path[:-1])
        if path and isinstance(parent, Mapping):
            return next((key.line for key, _ in parent.items if key.text == str(path[-1])), parent.line)
        return self.find(path).line

    def problem(self, path: Path, message: str) -> None:
        """Note that the value at a path is wrong."""
        self.note(self.line(path), path, message)

    def check(self) -> None:
        """Raise `BadFileError` for the first problem by line, if there is any."""
        if not self.problems:
            return
        first = min(self.problems, key=lambda one: one.line)
        more = len(self.problems) - 1
        least = "at least " if len(self.problems) == MOST_PROBLEMS else ""
        also = f" (and {least}{more} more {'problem' if more == 1 else 'problems'})" if more else ""
        raise BadFileError(
            f"{where(self.source, first.line, first.path)}{first.message}{also}",
            detail="\n".join(
                f"{where(self.source, one.line, one.path)}{one.message}"
                for one in sorted(self.problems, key=lambda one: one.line)
            )
            if more
            else None,
        )

    def note(self, line: int, path: Path, message: str) -> None:
        """Note what is wrong at a line that is known.

        Raises:
            BadFileError: it is the last problem that is noted of a file.
        """
        self.problems.append(Problem(line, path, message))
        if len(self.problems) == MOST_PROBLEMS:
            self.check()


def parse(data: str | bytes, source: str) -> Document:
    """Return the document that the text holds; ``source`` is the file's name in errors.

    Raises:
        BadFileError: it is not text, not YAML, or not the safe part of YAML.
    """
    try:
        text = text_of(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
        return Document(source, tree(text))
    except RefusedTextError as error:
        raise BadFileError(f"{where(source, error.line, error.path)}{error.message}") from None


def load(path: pathlib.Path) -> Document:
    """Return the document in a file.

    Raises:
        BadFileError: it cannot be read, or `parse` refuses it.
    """
    return parse(read_bytes(path), shown_path(path))


def read_bytes(path: pathlib.Path) -> bytes:
    """Return a regular file's bytes, one more than `LIMIT` at most.

    Raises:
        BadFileError: it is absent, unreadable, or something else than a file.
    """
    try:
        # A fifo would block an open for reading for ever; O_NONBLOCK lets us look at what it is first.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadFileError(f"{shown_path(path)}: not a regular file")
            return file.read(LIMIT + 1)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise BadFileError(f"{shown_path(path)}: {reason}") from None


def shown_path(path: pathlib.Path) -> str:
    """Return a path as errors name it: relative where it lies below the working folder."""
    try:
        return printable(str(path.absolute().relative_to(os.getcwd())), 200)  # noqa: PTH109 - no object is needed
    except (OSError, ValueError):
        return printable(str(path), 200)


def where(source: str, line: int, path: Path) -> str:
    """Return ``file:line: key.path: `` as every error begins."""
    keys = dotted(path)
    return f"{source}:{line}: {keys}: " if keys else f"{source}:{line}: "


def dotted(path: Path) -> str:
    """Return ``hosts.gpu-box.jump[1]`` for a path."""
    text = ""
    for step in path[:_LONGEST_PATH]:
        if isinstance(step, int):
            text += f"[{step + 1}]"
            continue
        key = printable(step, 40)
        plain = key.replace("-", "").replace("_", "").replace("*", "").isalnum()
        text += ("." if text else "") + (key if plain else f"'{key}'")
    return text + ("..." if len(path) > _LONGEST_PATH else "")


__all__ = [
    "Document",
    "Path",
    "Problem",
    "Scalar",
    "dotted",
    "load",
    "parse",
    "read_bytes",
    "shown_path",
    "where",
]
