"""YAML text as a tree of nodes that know their lines; nothing is resolved, tags and aliases are refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from provision.decode.text import RefusedTextError, invisible, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NODES = 100_000
"""More than a file of 1 MiB that says something has; without aliases nothing multiplies them."""
MOST_DEPTH = 20


class Scalar:
    """A single value, as typed: ``plain`` says that it stands without quotes."""

    __slots__ = ("line", "plain", "text")

    def __init__(self, line: int, text: str, *, plain: bool) -> None:
        self.line = line
        self.text = text
        self.plain = plain

    @property
    def empty(self) -> bool:
        """Whether YAML reads this as "nothing"."""
        return self.plain and self.text in {"", "~", "null", "Null", "NULL"}


class Sequence:
    """A list."""

    __slots__ = ("items", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.items: list[Node] = []


class Mapping:
    """Keys with values, in the order of the file."""

    __slots__ = ("items", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.items: list[tuple[Scalar, Node]] = []

    def get(self, key: str) -> Node | None:
        """Return the value of a key."""
        return next((value for one, value in self.items if one.text == key), None)


Node: TypeAlias = "Scalar | Sequence | Mapping"


def tree(text: str) -> Node:
    """Return the node of the only document in the text; an empty text is an empty scalar.

    Raises:
        RefusedTextError: it is not YAML, or not the safe part of it.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return _Builder(_events(loader)).document()
    except yaml.MarkedYAMLError as error:
        raise _refused(error, text) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, RefusedTextError):
            raise
        raise RefusedTextError(1, f"not valid YAML: {printable(str(error))}") from None
    finally:
        loader.dispose()


def _events(loader: Any) -> Iterator[Any]:
    while loader.check_event():
        yield loader.get_event()


class _Builder:
    """Builds the tree from parse events, within the limits on nodes and depth."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.count = 0
        self.path: list[str | int] = []

    def refuse(self, line: int, message: str) -> RefusedTextError:
        return RefusedTextError(line, message, tuple(self.path))

    def document(self) -> Node:
        import yaml

        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise RefusedTextError(_line(event), "a second document begins here, expected one (remove '---')")
                root = self.node(next(self.events), 1)
        return root if root is not None else Scalar(1, "", plain=True)

    def node(self, event: Any, depth: int) -> Node:
        import yaml

        line = _line(event)
        self.count += 1
        if self.count > MOST_NODES:
            raise self.refuse(line, f"more than {MOST_NODES:,} values: this is not such a file")
        if depth > MOST_DEPTH:
            raise self.refuse(line, f"nested more than {MOST_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(
                line,
                f"'*{printable(str(event.anchor))}' is a YAML alias, not taken here: write the value out",
            )
        if event.anchor is not None:
            raise self.refuse(line, f"'&{printable(event.anchor)}' is a YAML anchor, not taken here: remove it")
        if event.tag is not None:
            raise self.refuse(line, f"'{_tag(event.tag)}' is a YAML tag, not taken here: remove it")
        if isinstance(event, yaml.ScalarEvent):
            character = invisible(event.value)
            if character is not None:
                raise self.refuse(
                    line, f"'{printable(event.value)}' holds an invisible character, {character}: remove it"
                )
            # libyaml gives '' as the style of plain scalars, the Python parser None.
            return Scalar(line, event.value, plain=not event.style)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(line, depth)
        return self.mapping(line, depth)

    def sequence(self, line: int, depth: int) -> Sequence:
        import yaml

        found = Sequence(line)
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            self.path.append(len(found.items))
            found.items.append(self.node(event, depth + 1))
            self.path.pop()
        return found

    def mapping(self, line: int, depth: int) -> Mapping:
        import yaml

        found = Mapping(line)
        seen: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise self.refuse(key.line, "a list or mapping stands where a key is expected")
            if key.plain and key.text == "<<":
                raise self.refuse(key.line, "'<<' is a YAML merge key, not taken here: write the values out")
            if key.text in seen:
                self.path.append(key.text)
                raise self.refuse(
                    key.line, f"this key stands twice, first in line {seen[key.text]}: remove one of them"
                )
            seen[key.text] = key.line
            self.path.append(key.text)
            found.items.append((key, self.node(next(self.events), depth + 1)))
            self.path.pop()
        return found


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _tag(tag: str) -> str:
    return printable(tag.replace("tag:yaml.org,2002:", "!!"))


_NEEDS_QUOTES = r"(?:^\s*|[:,\[{]\s+|-\s+)(?P<first>[>|@`%])[^\s>|+-]"


def _refused(error: Any, text: str) -> RefusedTextError:
    """Say in our words what the YAML parser, whose own words speak of tokens, found."""
    mark = error.problem_mark or error.context_mark
    begun = error.context_mark or mark
    lines = text.splitlines()
    for number in sorted({one.line for one in (mark, begun) if one is not None}):
        here = lines[number] if number < len(lines) else ""
        if "\t" in here[: len(here) - len(here.lstrip())]:
            return RefusedTextError(number + 1, "a tab indents this line: YAML takes spaces only")
        found = re.search(_NEEDS_QUOTES, here)
        if found is not None:
            return RefusedTextError(number + 1, f"a value that begins with '{found['first']}' needs quotes around it")
    line = 1 if mark is None else int(mark.line) + 1
    since = f" in what begins in line {begun.line + 1}" if begun is not None and begun.line + 1 < line else ""
    problem = printable(str(error.problem or "it cannot be read"), 120)
    return RefusedTextError(line, f"not valid YAML: {problem}{since}: check indentation, colons, quotes and brackets")
