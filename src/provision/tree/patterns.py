"""One line of a .gitignore or .provisionignore as a rule: what it matches is what git says that it matches.

The library pathspec knows how the parts of a pattern hang together. A part that is more than letters and one ``*`` is
translated here: ranges and classes as git has them, and several ``*`` so that no pattern takes more than linear time
in the length of a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_DEEP = 4
"""``**`` in one pattern: each multiplies what a match can cost."""

_PLAIN = re.compile(r"[A-Za-z0-9._+@=,~-]*\*?[A-Za-z0-9._+@=,~-]*|\*\*")
_CLASSES: dict[str, Callable[[str], bool]] = {
    "alnum": str.isalnum,
    "alpha": str.isalpha,
    "blank": lambda one: one in " \t",
    "cntrl": lambda one: not one.isprintable(),
    "digit": str.isdigit,
    "graph": lambda one: one.isprintable() and one != " ",
    "lower": str.islower,
    "print": str.isprintable,
    "punct": lambda one: one.isprintable() and not one.isalnum() and one != " ",
    "space": str.isspace,
    "upper": str.isupper,
    "xdigit": lambda one: one in "0123456789abcdefABCDEF",
}
"""The classes that git's wildmatch.c knows, for ASCII."""


class Pattern(NamedTuple):
    """What one line says."""

    matches: Callable[[str], object]
    """Takes a path relative to the file's folder, as latin-1."""
    negated: bool
    folders_only: bool
    line: int
    text: bytes


class _NeverMatchesError(Exception):
    """Git takes this line for none that could match."""


class TooDeepError(ValueError):
    """A pattern has too many ``**``; the argument is its line."""


def patterns(content: bytes) -> Iterator[Pattern]:
    """Read the content of an ignore file.

    Raises:
        TooDeepError: a line has more than `MOST_DEEP` ``**``.
    """
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        text = _trimmed(line.removesuffix(b"\r"))
        if not text or text.startswith(b"#"):
            continue
        body = text.decode("latin-1")
        negated = body.startswith("!")
        body = body[negated:]
        folders_only = body.endswith("/")
        try:
            matches = _matcher(body[: len(body) - folders_only])
        except _NeverMatchesError:
            continue
        except TooDeepError:
            raise TooDeepError(number) from None
        yield Pattern(matches, negated, folders_only, number, text)


def _trimmed(line: bytes) -> bytes:
    """Return the line without the spaces at its end that no backslash protects."""
    text = line.rstrip(b" ")
    backslashes = len(text) - len(text.rstrip(b"\\"))
    return line[: len(text) + 1] if backslashes % 2 and len(text) < len(line) else text


def _matcher(body: str) -> Callable[[str], object]:
    rooted = "/" in body
    parts = _parts(body.removeprefix("/"))
    if not all(parts):
        raise _NeverMatchesError
    if not rooted and parts[0].strip("*") == "":
        parts = ["*"]
    parts = ["**" if len(part) > 1 and not part.strip("*") else part for part in parts]
    parts = [part for number, part in enumerate(parts) if part != "**" or parts[number - 1 : number] != ["**"]]
    if parts.count("**") > MOST_DEEP:
        raise TooDeepError
    own: list[str] = []
    for number, part in enumerate(parts):
        if not _PLAIN.fullmatch(part):
            parts[number] = chr(0xE000 + len(own))  # stands for it in the library's translation: no name has it
            own.append(_segment(part, f"p{len(own)}_"))
    text, _ = GitIgnoreSpecPattern.pattern_to_regex(("/" if rooted else "") + "/".join(parts))
    if text is None:
        raise _NeverMatchesError
    text = re.sub("[\ue000-\uf8ff]", lambda found: own[ord(found[0]) - 0xE000], text)
    regex = re.compile(text, re.DOTALL)
    # A pattern that ends in a name means that name, and the walk never comes below what it leaves out; the library
    # marks these. The others (`*`, `x/**`) mean whatever they find.
    return regex.fullmatch if "ps_d" in regex.groupindex else regex.search


def _parts(body: str) -> list[str]:
    """Split at the slashes."""
    parts, start, at = [], 0, 0
    while at < len(body):
        if body[at] == "\\" and body[at + 1 : at + 2] != "/":
            at += 2
        elif body[at] == "[":
            at = _bracket(body, at)[1]
        else:
            if body[at] == "/":
                parts.append(body[start:at])
                start = at + 1
            at += 1
    return [*parts, body[start:]]


def _segment(part: str, group: str) -> str:
    """Return the regular expression of a part. Between two ``*`` the first fit is as good as any other."""
    chunks, at = [""], 0
    while at < len(part):
        one = part[at]
        at += 1
        if one == "*":
            if chunks[-1] or len(chunks) == 1:
                chunks.append("")
        elif one == "?":
            chunks[-1] += "[^/]"
        elif one == "[":
            text, at = _bracket(part, at - 1)
            chunks[-1] += text
        elif one == "\\":
            if at == len(part):
                raise _NeverMatchesError
            chunks[-1] += re.escape(part[at])
            at += 1
        else:
            chunks[-1] += re.escape(one)
    if len(chunks) == 1:
        return chunks[0]
    middle = "".join(
        f"(?=(?P<{group}{number}>[^/]*?{chunk}))(?P={group}{number})" for number, chunk in enumerate(chunks[1:-1])
    )
    return f"{chunks[0]}{middle}[^/]*{chunks[-1]}"


def _bracket(text: str, start: int) -> tuple[str, int]:
    """Return what a bracket expression means, as a regular expression, and where it ends (wildmatch.c)."""
    at = start + 1
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    members: set[int] = set()
    previous = -1
    first = True
    while first or text[at : at + 1] != "]":
        first = False
        one = text[at : at + 1]
        if one == "-" and previous >= 0 and text[at + 1 : at + 2] not in ("", "]"):
            last, at = _member(text, at + 1)
            members.update(range(previous, last + 1))
            previous = -1
        elif (
            one == "["
            and text[at + 1 : at + 2] == ":"
            and (end := text.find("]", at + 2)) >= 0
            and text[end - 1] == ":"
        ):
            known = _CLASSES.get(text[at + 2 : end - 1])
            if known is None:
                raise _NeverMatchesError
            members.update(number for number in range(128) if known(chr(number)))
            previous, at = -1, end + 1
        else:
            previous, at = _member(text, at)
            members.add(previous)
    allowed = (set(range(256)) - members if negated else members) - {ord("/")}
    return ("[" + "".join(f"\\x{number:02x}" for number in sorted(allowed)) + "]" if allowed else "(?!)"), at + 1


def _member(text: str, at: int) -> tuple[int, int]:
    at += text[at : at + 1] == "\\"
    if at >= len(text):
        raise _NeverMatchesError
    return ord(text[at]), at + 1
