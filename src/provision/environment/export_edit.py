"""An environment.yml edited line by line: its comments, its order and its layout stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from provision.decode.nodes import Mapping, Node, Scalar, tree
from provision.decode.nodes import Sequence as ListNode
from provision.decode.text import RefusedTextError
from provision.environment.export_text import quoted, scalar, withheld

if TYPE_CHECKING:
    from provision.environment.export_file import Entry, Export

LinesOf: TypeAlias = Callable[[str], tuple[str, ...]]
"""What one pip line of the file comes to, included files read; none: it installs nothing by itself."""

_ITEM = re.compile(r"(\s*-\s+)(\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^\s'\"].*?)(\s+#.*|\s*)")
_PAIR = re.compile(
    r"(\s*(?:\"[^\"]*\"|'[^']*'|[^\s:#]+)\s*:\s+)(\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^\s'\"].*?)(\s+#.*|\s*)"
)
_INCLUDE = re.compile(r"(-r|--requirement)(?![a-z-])")
_FLOW = re.compile(r"(channels\s*:\s+)\[[^\[\]#]*\](\s+#.*|\s*)")
_OPENING = re.compile(r"[\[{|>&*!]")


class _UneditableError(Exception):
    """The file is laid out in a way that is not edited."""


def edited(text: str, export: Export, lines_of: LinesOf) -> str | None:
    """Return the file's text with what the export has.

    ``None``: it is laid out in a way that cannot be edited by lines, such as lists in brackets.
    """
    try:
        edit = _Edit(text, export, lines_of)
        result = edit.result()
        # The new text is believed only when it says what it was to say.
        return result if _says(tree(result), export, lines_of) else None
    except (_UneditableError, RefusedTextError):
        return None


class _Edit:
    def __init__(self, text: str, export: Export, lines_of: LinesOf) -> None:
        self._lines = text.split("\n")
        self._export = export
        self._lines_of = lines_of
        self._new: dict[int, list[str]] = {}
        """What stands in place of a line, by its number from 0."""
        self._after: dict[int, list[str]] = {}
        root = tree(text)
        if not isinstance(root, Mapping):
            raise _UneditableError
        self._root = root

    def result(self) -> str:
        for key, node in self._root.items:
            if key.text == "prefix":
                self._new[key.line - 1] = []
            elif key.text == "name" and isinstance(node, Scalar) and node.text in {"base", "root"}:
                self._new[key.line - 1] = [self._changed(_PAIR, key.line - 1, scalar(self._export.name))]
        self._channels()
        self._dependencies()
        self._variables()
        found: list[str] = []
        for number, line in enumerate(self._lines):
            found += self._new.get(number, [line])
            found += self._after.get(number, [])
        return "\n".join(found)

    # -- the parts -------------------------------------------------------------------------------

    def _channels(self) -> None:
        node = self._root.get("channels")
        wanted = list(self._export.channels)
        if node is None:
            if [one.text for one in wanted] != ["defaults"]:
                place = next(key.line for key, _ in self._root.items if key.text == "dependencies") - 1
                self._new[place] = ["channels:", *(f"  - {scalar(one.text)}" for one in wanted), self._lines[place]]
            return
        if _channels_in(self._root) == [one.text for one in wanted]:
            return
        flow = _FLOW.fullmatch(self._lines[node.line - 1])
        if flow is not None:
            texts = [*(one for one in _texts(node) if one == "nodefaults"), *(scalar(one.text) for one in wanted)]
            self._new[node.line - 1] = [f"{flow[1]}[{', '.join(texts)}]{flow[2]}"]
            return
        items = self._items(node)
        last = items[-1].line - 1
        for item in items:
            if item.text != "nodefaults":
                self._settle(item, _take(wanted, (item.text.rstrip("/"), item.text)))
        self._append(last, self._prefix(last), wanted)

    def _dependencies(self) -> None:
        node = self._root.get("dependencies")
        if not isinstance(node, ListNode) or not node.items:
            raise _UneditableError
        wanted, pip = list(self._export.dependencies), list(self._export.pip)
        lines = [one for one in node.items if isinstance(one, Scalar)]
        first = node.items[0].line - 1
        if _conda_in(node) != sorted(one.text for one in wanted):
            self._check_items(lines, node)
            for item in lines:
                self._settle(item, _take(wanted, (" ".join(item.text.split()),)))
            self._append(lines[-1].line - 1 if lines else first - 1, self._prefix(first), wanted)
        lists = [one for one in node.items if isinstance(one, Mapping)]
        if not _includes(node) and _pip_in(node, self._lines_of) == [one.text for one in pip]:
            return
        for one in lists:
            self._pip(one, pip, last=one is lists[-1])
        if pip and not lists:
            end = max(one.line for one in node.items) - 1
            dash = self._prefix(first)
            more = [f"{dash}pip:", *(f"{' ' * len(dash)}  - {scalar(one.text)}" for one in pip)]
            self._after.setdefault(end, []).extend(more)

    def _pip(self, node: Mapping, wanted: list[Entry], *, last: bool) -> None:
        (key, value), *more = node.items
        items = self._items(value)
        if more or key.text != "pip" or items[0].line == key.line:
            raise _UneditableError
        for item in items:
            lines = self._lines_of(item.text)
            if not lines:
                continue
            entries = [found for line in lines if (found := _take(wanted, (line,))) is not None]
            # An included file's lines take the place of its name: the file is not there elsewhere.
            if [one.text for one in entries] != list(lines) or _INCLUDE.match(item.text):
                self._replace(item, entries)
        if last:
            end = items[-1].line - 1
            dash = self._prefix(items[0].line - 1)
            self._append(end, dash, wanted)
            wanted.clear()
        if all(self._new.get(one.line - 1, [""]) == [] for one in items) and not self._after.get(items[-1].line - 1):
            self._new[key.line - 1] = []

    def _variables(self) -> None:
        wanted = dict(self._export.variables)
        hidden = list(self._export.withheld)
        node = self._root.get("variables")
        end = len(self._lines) - 1
        if isinstance(node, Mapping) and node.items:
            for key, value in node.items:
                number = key.line - 1
                if not isinstance(value, Scalar) or value.line != key.line:
                    raise _UneditableError
                if key.text in wanted:
                    new = wanted.pop(key.text)
                    if new != value.text:
                        self._new[number] = [self._changed(_PAIR, number, quoted(new))]
                elif key.text in hidden:
                    hidden.remove(key.text)
                    indent = re.match(r"\s*", self._lines[number])
                    self._new[number] = [f"{indent[0] if indent else ''}{withheld(key.text)}"]
                else:
                    self._new[number] = []
            end = node.items[-1][0].line - 1
            indent = re.match(r"\s*", self._lines[end])
            more = [f"{indent[0] if indent else ''}{name}: {quoted(value)}" for name, value in wanted.items()]
            if not self._export.variables:
                top = next(key.line for key, _ in self._root.items if key.text == "variables") - 1
                self._new[top] = []
        else:
            if node is not None and (wanted or not isinstance(node, Scalar)):
                raise _UneditableError
            more = ["variables:", *(f"  {name}: {quoted(value)}" for name, value in wanted.items())] if wanted else []
            while end > 0 and not self._lines[end].strip():
                end -= 1
        more += [withheld(name) for name in hidden if f"{withheld(name)}" not in map(str.strip, self._lines)]
        self._after.setdefault(end, []).extend(more)

    # -- lines -----------------------------------------------------------------------------------

    def _items(self, node: Node | None) -> list[Scalar]:
        if not isinstance(node, ListNode) or not node.items:
            raise _UneditableError
        items = [one for one in node.items if isinstance(one, Scalar)]
        if len(items) != len(node.items):
            raise _UneditableError
        self._check_items(items, node)
        return items

    def _check_items(self, items: Sequence[Scalar], node: ListNode) -> None:
        numbers = [one.line for one in node.items]
        if len(set(numbers)) != len(numbers):
            raise _UneditableError
        for one in items:
            match = _ITEM.fullmatch(self._lines[one.line - 1])
            if match is None or _OPENING.match(match[2]) or _value(match[2]) != one.text:
                raise _UneditableError

    def _prefix(self, number: int) -> str:
        match = re.match(r"\s*-\s+", self._lines[number])
        if match is None:
            raise _UneditableError
        return match[0]

    def _settle(self, item: Scalar, entry: Entry | None) -> None:
        if entry is None:
            self._new[item.line - 1] = []
        elif entry.text != item.text:
            self._replace(item, [entry])

    def _replace(self, item: Scalar, entries: Sequence[Entry]) -> None:
        number = item.line - 1
        if not entries:
            self._new[number] = []
            return
        first, *rest = (scalar(one.text) for one in entries)
        prefix = self._prefix(number)
        self._new[number] = [self._changed(_ITEM, number, first), *(f"{prefix}{one}" for one in rest)]

    def _changed(self, shape: re.Pattern[str], number: int, value: str) -> str:
        match = shape.fullmatch(self._lines[number])
        if match is None:
            raise _UneditableError
        return f"{match[1]}{value}{match[3].rstrip()}"

    def _append(self, number: int, prefix: str, entries: Iterable[Entry]) -> None:
        more = [f"{prefix}{scalar(one.text)}" for one in entries]
        if more:
            self._after.setdefault(number, []).extend(more)


def _take(wanted: list[Entry], asked: Sequence[str]) -> Entry | None:
    """Take the entry out that stands for a line."""
    for one in wanted:
        if one.asked in asked:
            wanted.remove(one)
            return one
    return None


def _value(text: str) -> str | None:
    try:
        node = tree(text)
    except RefusedTextError:
        return None
    return node.text if isinstance(node, Scalar) else None


def _says(root: Node, export: Export, lines_of: LinesOf) -> bool:
    if not isinstance(root, Mapping):
        return False
    dependencies, variables = root.get("dependencies"), root.get("variables")
    pairs = variables.items if isinstance(variables, Mapping) else []
    return (
        _conda_in(dependencies) == sorted(one.text for one in export.dependencies)
        and _pip_in(dependencies, lines_of) == [one.text for one in export.pip]
        and _channels_in(root) == [one.text for one in export.channels]
        and sorted((key.text, one.text) for key, one in pairs if isinstance(one, Scalar)) == sorted(export.variables)
        and root.get("prefix") is None
    )


def _channels_in(root: Mapping) -> list[str]:
    named = [one.rstrip("/") for one in _texts(root.get("channels")) if one != "nodefaults"]
    return list(dict.fromkeys(named)) or ["defaults"]


def _conda_in(dependencies: Node | None) -> list[str]:
    return sorted(" ".join(one.split()) for one in _texts(dependencies))


def _pip_in(dependencies: Node | None, lines_of: LinesOf) -> list[str]:
    return [line for text in _pip_texts(dependencies) for line in lines_of(text)]


def _includes(dependencies: Node | None) -> bool:
    return any(_INCLUDE.match(one) for one in _pip_texts(dependencies))


def _pip_texts(dependencies: Node | None) -> list[str]:
    items = dependencies.items if isinstance(dependencies, ListNode) else []
    return [text for one in items if isinstance(one, Mapping) for text in _texts(one.get("pip"))]


def _texts(node: Node | None) -> list[str]:
    return [one.text for one in node.items if isinstance(one, Scalar)] if isinstance(node, ListNode) else []
