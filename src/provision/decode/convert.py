"""The generic decoder: a node becomes the value that an annotation describes."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union

from provision.decode.near import suggestion
from provision.decode.nodes import Mapping, Node, Scalar, Sequence
from provision.decode.rules import Rule
from provision.decode.text import printable

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_ALMOST_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}

_FIELDS: dict[type[Any], dict[str, tuple[str, Any]]] = {}

Note = Callable[[int, "tuple[str | int, ...]", str], None]

MISSING: Any = object()
"""Stands for a value that could not be decoded; its problem has been noted."""


class Converter:
    """Decodes nodes by annotation; what is wrong is noted, never raised."""

    def __init__(self, note: Note) -> None:
        self.note = note

    def convert(  # noqa: PLR0911 - one line for each form that an annotation takes
        self, kind: Any, node: Node, path: tuple[str | int, ...], line: int | None = None
    ) -> Any:
        """Return the node's value as ``kind``, or `MISSING`; ``line`` is that of its key."""
        line = node.line if line is None or not isinstance(node, Scalar) or node.text else line
        origin = typing.get_origin(kind)
        if origin is Annotated:
            return self._annotated(kind, node, path, line)
        if origin in (Union, types.UnionType):
            return self._union(typing.get_args(kind), node, path, line)
        if origin is Literal:
            return self._literal(typing.get_args(kind), node, path, line)
        if origin is tuple:
            return self._tuple(typing.get_args(kind)[0], node, path, line)
        if origin is dict:
            return self._dict(typing.get_args(kind), node, path, line)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            return self._dataclass(kind, node, path, line)
        return self._scalar(kind, node, path, line)

    def _refuse(self, line: int, path: tuple[str | int, ...], message: str) -> Any:
        self.note(line, path, message)
        return MISSING

    def _annotated(self, kind: Any, node: Node, path: tuple[str | int, ...], line: int) -> Any:
        base, *marks = typing.get_args(kind)
        value = self.convert(base, node, path, line)
        for mark in marks:
            if value is MISSING or value is None:
                return value
            if isinstance(mark, Rule):
                try:
                    value = mark.check(value)
                except ValueError as error:
                    return self._refuse(node.line, path, str(error))
        return value

    def _union(self, kinds: tuple[Any, ...], node: Node, path: tuple[str | int, ...], line: int) -> Any:
        if types.NoneType in kinds and isinstance(node, Scalar) and node.empty:
            if node.plain and node.text == "~" and str in map(_base, kinds):
                return self._scalar(str, node, path, line)
            return None
        fitting = [one for one in kinds if one is not types.NoneType and _fits(one, node)]
        if not fitting:
            expected = " or ".join(describe(one) for one in kinds if one is not types.NoneType)
            return self._refuse(line, path, f"{_seen(node)}, expected {expected}")
        if len(fitting) > 1 and isinstance(node, Mapping):
            return self._tagged(fitting, node, path, line)
        for one in fitting[:-1]:
            noted: list[str] = []
            value = Converter(lambda _line, _path, message, seen=noted: seen.append(message)).convert(  # type: ignore[misc]
                one, node, path, line
            )
            if not noted:
                return value
        return self.convert(fitting[-1], node, path, line)

    def _tagged(self, kinds: list[Any], node: Mapping, path: tuple[str | int, ...], line: int) -> Any:
        """Decode one of several dataclasses; a field that is a `Literal` of one word tells them apart."""
        words = {tag_of(kind)[1]: kind for kind in kinds}
        key = tag_of(kinds[0])[0]
        tag = node.get(key)
        if tag is None:
            return self._refuse(line, path, f"'{key}' is missing, expected one of {', '.join(words)}")
        if self._literal(tuple(words), tag, (*path, key), tag.line) is MISSING or not isinstance(tag, Scalar):
            return MISSING
        return self.convert(words[tag.text], node, path, line)

    def _literal(self, words: tuple[Any, ...], node: Node, path: tuple[str | int, ...], line: int) -> Any:
        known = [str(word) for word in words]
        if isinstance(node, Scalar) and node.text in known:
            word = words[known.index(node.text)]
            if node.plain or isinstance(word, str):
                return word
        near = suggestion(node.text, known) if isinstance(node, Scalar) else ""
        expected = f"one of {', '.join(known)}" if len(known) > 1 else known[0]
        return self._refuse(line, path, f"{_seen(node)}, expected {expected}{near}")

    def _tuple(self, kind: Any, node: Node, path: tuple[str | int, ...], line: int) -> Any:
        if isinstance(node, Scalar) and node.empty:
            return ()
        if not isinstance(node, Sequence):
            return self._refuse(line, path, f"{_seen(node)}, expected a list")
        values = [self.convert(kind, one, (*path, index)) for index, one in enumerate(node.items)]
        return MISSING if any(one is MISSING for one in values) else tuple(values)

    def _dict(self, kinds: tuple[Any, ...], node: Node, path: tuple[str | int, ...], line: int) -> Any:
        if isinstance(node, Scalar) and node.empty:
            return {}
        if not isinstance(node, Mapping):
            return self._refuse(line, path, f"{_seen(node)}, expected a mapping (key: value)")
        found = {}
        for key, below in node.items:
            name = self.convert(kinds[0], key, (*path, key.text), key.line)
            value = self.convert(kinds[1], below, (*path, key.text), key.line)
            if name is not MISSING and value is not MISSING:
                found[name] = value
        return found if len(found) == len(node.items) else MISSING

    def _dataclass(self, kind: type[Any], node: Node, path: tuple[str | int, ...], line: int) -> Any:
        if isinstance(node, Scalar) and node.empty:
            node = Mapping(line)
        if not isinstance(node, Mapping):
            return self._refuse(line, path, f"{_seen(node)}, expected a mapping (key: value)")
        known = fields_of(kind)
        values: dict[str, Any] = {}
        wrong = False
        for key, below in node.items:
            here = (*path, key.text)
            entry = known.get(key.text)
            if entry is None:
                self.note(
                    key.line,
                    here,
                    f"unknown key{suggestion(key.text, known) or ', expected ' + _choices(known)}",
                )
                wrong = True
                continue
            name, annotation = entry
            value = self.convert(annotation, below, here, key.line)
            wrong = wrong or value is MISSING
            values[name] = value
        for key_name, (name, _) in known.items():
            if name not in values and name in required_of(kind):
                self.note(line, path, f"'{key_name}{_only_word(known[key_name][1])}' is missing")
                wrong = True
        return (
            MISSING
            if wrong
            else kind(**{name: value for name, value in values.items() if not _unset(kind, name, value)})
        )

    def _scalar(  # noqa: PLR0911 - one line for each thing that can be wrong
        self, kind: Any, node: Node, path: tuple[str | int, ...], line: int
    ) -> Any:
        expected = describe(kind)
        if not isinstance(node, Scalar):
            return self._refuse(line, path, f"{_seen(node)}, expected {expected}")
        if node.empty:
            advice = ": in YAML ~ means nothing, leave the key out or put ~ in quotes" if node.text == "~" else ""
            return self._refuse(line, path, f"{_seen(node)}, expected {expected}{advice}")
        if kind is str:
            return node.text
        if not node.plain:
            return self._refuse(line, path, f"{_seen(node)} in quotes is text, expected {expected} without quotes")
        if kind is bool:
            if node.text in _BOOLEANS:
                return _BOOLEANS[node.text]
            meant = _ALMOST_BOOLEANS.get(node.text.lower())
            return self._refuse(
                line, path, f"{_seen(node)}, expected true or false{f': write {meant}' if meant else ''}"
            )
        pattern = _INTEGER if kind is int else _NUMBER
        if not pattern.fullmatch(node.text):
            return self._refuse(line, path, f"{_seen(node)}, expected {expected}")
        return kind(node.text)


def fields_of(kind: type[Any]) -> dict[str, tuple[str, Any]]:
    """Return the YAML keys of a dataclass, each with the field's name and annotation.

    A field's key is its name, without an underscore at its end.
    """
    found = _FIELDS.get(kind)
    if found is None:
        hints = typing.get_type_hints(kind, include_extras=True)
        found = {one.name.rstrip("_"): (one.name, hints[one.name]) for one in dataclasses.fields(kind)}
        _FIELDS[kind] = found
    return found


def tag_of(kind: type[Any]) -> tuple[str, str]:
    """Return the key and the word that tell a dataclass from the others of its union."""
    for key, (_, annotation) in fields_of(kind).items():
        if typing.get_origin(annotation) is Literal and len(typing.get_args(annotation)) == 1:
            return key, typing.get_args(annotation)[0]
    raise TypeError(f"{kind.__name__} has no field that is a Literal of one word")


def required_of(kind: type[Any]) -> frozenset[str]:
    """Return the names of a dataclass's fields that have no default."""
    absent = dataclasses.MISSING
    return frozenset(
        one.name for one in dataclasses.fields(kind) if one.default is absent and one.default_factory is absent
    )


def _unset(kind: type[Any], name: str, value: Any) -> bool:
    """Whether an empty value stands for the field's default."""
    return value is None and name not in required_of(kind)


def describe(kind: Any) -> str:
    """Return what an annotation expects, in words."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return describe(typing.get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return " or ".join(describe(one) for one in typing.get_args(kind) if one is not types.NoneType)
    if origin is Literal:
        return "one of " + ", ".join(str(one) for one in typing.get_args(kind))
    if origin is tuple:
        return "a list"
    if origin is dict or dataclasses.is_dataclass(kind):
        return "a mapping"
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kind]


def _base(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _fits(kind: Any, node: Node) -> bool:
    """Whether a node has the shape of an annotation."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _fits(arguments[0], node)
    if origin in {Union, types.UnionType}:
        return any(_fits(one, node) for one in arguments if one is not types.NoneType)
    if origin is tuple:
        return isinstance(node, Sequence)
    if origin is dict or dataclasses.is_dataclass(kind):
        return isinstance(node, Mapping)
    return isinstance(node, Scalar) and (kind is not bool or (node.plain and node.text in _BOOLEANS))


def _seen(node: Node) -> str:
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    if node.empty and node.text != "~":
        return "no value"
    return f"'{printable(node.text)}'"


def _only_word(kind: Any) -> str:
    """Return ``: word`` where an annotation leaves no choice."""
    words = typing.get_args(_base(kind)) if typing.get_origin(_base(kind)) is Literal else ()
    return f": {words[0]}" if len(words) == 1 else ""


def _choices(known: typing.Iterable[str]) -> str:
    names = sorted(known)
    return "one of " + ", ".join(names) if len(names) > 1 else (f"'{names[0]}'" if names else "no keys at all")
