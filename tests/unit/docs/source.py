"""What the source says of itself: codes of findings, variables that are read, settings and their keys."""

from __future__ import annotations

import ast
import dataclasses
import re
import types
import typing
from typing import Annotated, Any

from provision.decode.convert import fields_of
from tests.unit.docs.pages import REPOSITORY

if typing.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = REPOSITORY / "src" / "provision"
_CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*")


def modules() -> list[Path]:
    """Return the modules of the product, without the demo and what runs on hosts."""
    apart = {"demo", "scripts"}
    return [one for one in sorted(PACKAGE.rglob("*.py")) if not apart & set(one.relative_to(PACKAGE).parts)]


def finding_codes() -> set[str]:
    """Return the code of every finding that is made anywhere.

    Raises:
        ValueError: a code is worked out, so that no reader of the source can know it.
    """
    codes = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            first = node.args[0]
            if node.func.id == "Finding" or (node.func.id == "error" and len(node.args) >= 3):
                if isinstance(first, ast.Constant) and _CODE.fullmatch(str(first.value)):
                    codes.add(str(first.value))
                elif not (path.name == "room.py" and isinstance(first, ast.Name)):
                    raise ValueError(f"{path}:{node.lineno}: the code of a finding is not written out")
    return codes


def variables() -> set[str]:
    """Return the environment variables that the product reads on the user's machine."""
    found = set()
    for path in modules():
        text = path.read_text("utf-8")
        found |= set(re.findall(r"environ(?:\.get\(|\.pop\(|\[)\s*\"([A-Z][A-Z_]+)\"", text))
        found |= set(re.findall(r"\"(PROVISION_[A-Z_]+[A-Z])\"", text))
    return found


def keys(kind: type[Any], prefix: str = "") -> Iterator[str]:
    """Yield the path of every key of a dataclass, those of the dataclasses in it included."""
    for key, (_, annotation) in fields_of(kind).items():
        path = f"{prefix}{key}"
        yield path
        for inner, below in _inside(annotation, path):
            yield from keys(inner, below)


def _inside(annotation: Any, path: str) -> Iterator[tuple[type[Any], str]]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        yield annotation, f"{path}."
    elif origin is dict:
        yield from _inside(arguments[1], f"{path}.NAME")
    elif origin is Annotated:
        yield from _inside(arguments[0], path)
    elif origin in {typing.Union, types.UnionType, tuple}:
        for one in arguments:
            yield from _inside(one, path)
