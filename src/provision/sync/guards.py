"""What the user is asked about before a sync: secrets, a tree that is too large, removing most of a host's files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.model.sync import Question
from provision.sync.sizes import files, sized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_BYTES = 200_000_000
MOST_FILES = 50_000
GROWTH = 1.5
"""A tree that was agreed to may grow by half before it is asked about again."""
LEAST_REMOVED = 10
"""So many files may go without a question, unless they are all there are."""
SHOWN = 10
_LARGE = 0.05
"""Part of the whole from which on a folder is worth naming."""
_MOST_OF = 0.8
IGNORE_FILE = ".provisionignore"
_SPECIAL = frozenset("\\*?[ ")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user agreed to send of a project, once for all."""

    secrets: frozenset[str] = frozenset()
    """Paths."""
    bytes: int = 0
    """Of the largest tree that was agreed to; 0: none was."""
    files: int = 0

    @classmethod
    def of(cls, value: Any) -> Answers:
        """Return the answers that a JSON value holds; none where it is not one of ours."""
        if not isinstance(value, dict):
            return cls()
        secrets, size, count = value.get("secrets"), value.get("bytes"), value.get("files")
        return cls(
            frozenset(one for one in secrets if isinstance(one, str)) if isinstance(secrets, list) else frozenset(),
            size if isinstance(size, int) else 0,
            count if isinstance(count, int) else 0,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the answers as plain values."""
        return {"secrets": sorted(self.secrets), "bytes": self.bytes, "files": self.files}


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing to ask about."""

    says: str
    """In one line, without a stop."""
    yes: str
    """What a yes does, such as ``sends it``."""
    lines: tuple[str, ...] = ()
    """Which files it is about, as text."""
    paths: tuple[str, ...] = ()
    """The same as paths; folders with a slash behind."""
    ignore: tuple[str, ...] = ()
    """Lines for the ignore file that settle it."""
    secrets: frozenset[str] = frozenset()
    bytes: int = 0
    files: int = 0

    def agreed(self, answers: Answers) -> Answers:
        """Return the answers with a yes to this one."""
        return replace(
            answers,
            secrets=answers.secrets | self.secrets,
            bytes=max(answers.bytes, self.bytes),
            files=max(answers.files, self.files),
        )

    def question(self) -> Question:
        """Return what the user is asked."""
        return Question(self.says, self.paths, tuple(question_lines([self])))


def secret_concern(found: Mapping[str, str], answers: Answers) -> Concern | None:
    """Return what to ask about secret-looking files: path and what each seems to be."""
    new = {path: what for path, what in sorted(found.items()) if path not in answers.secrets}
    if not new:
        return None
    one = len(new) == 1
    return Concern(
        f"{files(len(new))} to send {'looks like a secret' if one else 'look like secrets'}",
        "sends it" if one else "sends them",
        tuple(f"{path}  ({what})" for path, what in new.items()),
        tuple(new),
        ignore=tuple(ignore_line(path) for path in new),
        secrets=frozenset(new),
    )


def is_large(files: int, total: int) -> bool:
    """Return whether a tree of so many files and bytes is larger than code is."""
    return total > MOST_BYTES or files > MOST_FILES


def size_concerns(sizes: Mapping[str, int], answers: Answers) -> tuple[Concern, ...]:
    """Return what to ask about a tree (bytes by path) that is larger than code is."""
    found = []
    total = sum(sizes.values())
    if total > MOST_BYTES and total > answers.bytes * GROWTH:
        parts = largest(sizes)
        found.append(
            Concern(
                f"the project is {sized(total)} large, and code seldom is: more than {sized(MOST_BYTES)}",
                "sends it",
                (
                    *(f"{part}  ({sized(size)}, {files(count)})" for part, size, count in parts),
                    f"by suffix: {', '.join(_by_suffix(sizes))}",
                ),
                tuple(part for part, _, _ in parts),
                ignore=tuple(ignore_line(part) for part, _, _ in parts[:1]),
                bytes=total,
            )
        )
    if len(sizes) > MOST_FILES and len(sizes) > answers.files * GROWTH:
        parts = largest(dict.fromkeys(sizes, 1))
        found.append(
            Concern(
                f"the project has {files(len(sizes))}, and code seldom has: more than {MOST_FILES:,}",
                "sends it",
                tuple(f"{part}  ({files(count)})" for part, _, count in parts),
                tuple(part for part, _, _ in parts),
                ignore=tuple(ignore_line(part) for part, _, _ in parts[:1]),
                files=len(sizes),
            )
        )
    return tuple(found)


def removal_concern(host: str, removed: Iterable[str], left: int, had: int) -> Concern | None:
    """Return what to ask before most of a host's files go.

    Args:
        host: Its name.
        removed: Paths that would go.
        left: Files of the tree as it will be.
        had: Files that the last sync left there.
    """
    gone = tuple(sorted(removed))
    everything = bool(gone) and left == 0
    if not everything and (len(gone) <= LEAST_REMOVED or len(gone) * 2 <= had):
        return None
    some = f"{files(len(gone))}, more than half of what syncs put on {host},"
    what = f"every file that syncs put on {host}" if everything else some
    return Concern(f"{what} would be removed there", f"removes {'it' if len(gone) == 1 else 'them'}", gone, gone)


def question_lines(concerns: Iterable[Concern]) -> list[str]:
    """Return the text that stands before the question, a line each; names in it are as they are: show them escaped."""
    lines = []
    for one in concerns:
        lines.append(f"{one.says}:" if one.lines else one.says)
        lines += [f"  {line}" for line in _cut(one.lines)]
        if one.ignore:
            lines.append(f"to leave {'it' if len(one.ignore) == 1 else 'them'} out, add to {IGNORE_FILE}:")
            lines += [f"  {line}" for line in _cut(one.ignore)]
    return lines


def largest(sizes: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Return the parts of a tree that make it large, the largest first: path (a folder ends in ``/``), bytes, files.

    Of a folder that is nearly all another one within it, the inner one is named.
    """
    held: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for path, size in sizes.items():
        for part in _parts(path):
            held[part] += size
            count[part] += 1
    total = sum(sizes.values())
    found: list[tuple[str, int, int]] = []
    for part, size in held.most_common():
        if "/" in part.rstrip("/") or size < total * _LARGE or len(found) == SHOWN // 2:
            continue
        below = [one for one in held if one.startswith(part) and one != part and one.endswith("/")]
        inner = max(below, key=held.__getitem__, default=part)
        named = inner if held[inner] >= size * _MOST_OF else part
        found.append((named, held[named], count[named]))
    return found


def ignore_line(path: str) -> str:
    """Return the line of an ignore file that means this path alone."""
    return "/" + "".join("?" if one < " " else f"\\{one}" if one in _SPECIAL else one for one in path)


def _parts(path: str) -> list[str]:
    """Return the upper two folders of a path, with slashes: ``a/``, ``a/b/``; of a file at the top: itself."""
    names = path.split("/")[:3]
    return ["/".join(names[:depth]) + "/" for depth in range(1, len(names))] or [path]


def _by_suffix(sizes: Mapping[str, int]) -> list[str]:
    held: Counter[str] = Counter()
    for path, size in sizes.items():
        name = path.rpartition("/")[2]
        dot = name.rfind(".")
        held[name[dot:] if dot > 0 else "none"] += size
    return [f"{suffix} {sized(size)}" for suffix, size in held.most_common(3)]


def _cut(lines: tuple[str, ...]) -> list[str]:
    # A line that says "1 more" would take no less room than the last one itself.
    most = SHOWN if len(lines) > SHOWN + 1 else len(lines)
    shown = [one.replace("\n", "\\n") for one in lines[:most]]
    return [*shown, *([f"... and {len(lines) - most:,} more"] if most < len(lines) else [])]
