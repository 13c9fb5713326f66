"""Types become JSON Schemas."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Annotated, Any, Literal, Union

from provision.decode import Rule
from provision.decode.convert import fields_of, required_of
from provision.environment.spec import EnvironmentFile
from provision.inventory.schema import InventoryFile
from provision.pitfalls.schema import PitfallsFile
from provision.playbook.options import BARE_TASKS, TASKS, FileOptions
from provision.project import ProjectFile

# A value such as 12.4 is text to us, and a number to an editor.
_SCALARS: dict[type, Any] = {
    str: ["string", "number", "boolean"],
    int: "integer",
    float: "number",
    bool: "boolean",
}


def texts() -> dict[str, str]:
    """Return each schema's JSON text by the kind of file it describes."""
    schemas = {
        "hosts": _document("hosts.yaml", _of(InventoryFile)),
        "provision": _document("provision.yaml", _of(ProjectFile)),
        "playbook": _document("a playbook", _playbook()),
        "environment": _document("environment.yml", _of(EnvironmentFile)),
        "pitfalls": _document("pitfalls.yaml", _of(PitfallsFile)),
    }
    return {kind: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for kind, schema in schemas.items()}


def _document(title: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, **schema}


def _playbook() -> dict[str, Any]:
    tasks: list[dict[str, Any]] = [{"enum": list(BARE_TASKS)}]
    for kind, options in TASKS.items():
        below = {"type": "array", "items": _of(FileOptions)} if kind == "files" else _or_nothing(_of(options))
        tasks.append({"type": "object", "properties": {kind: below}, "required": [kind], "additionalProperties": False})
    return {
        "type": "object",
        "description": "What a host should be: tasks in their order.",
        "properties": {
            "name": {"type": "string", "description": "what to call it; none: the file's name"},
            "tasks": {"type": "array", "minItems": 1, "items": {"anyOf": tasks}},
        },
        "required": ["tasks"],
        "additionalProperties": False,
    }


def _or_nothing(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]} if isinstance(schema.get("type"), str) else schema


def _of(kind: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _annotated(*arguments)
    if origin in {Union, types.UnionType}:
        members = [_of(one) for one in arguments if one is not types.NoneType]
        return members[0] if len(members) == 1 else {"anyOf": members}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if origin is dict:
        named = {key: value for key, value in _of(arguments[0]).items() if key in {"pattern", "enum"}}
        names = {"propertyNames": named} if named else {}
        return {"type": "object", **names, "additionalProperties": _of(arguments[1])}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _of_dataclass(kind)
    return {"enum": list(arguments)} if origin is Literal else {"type": _SCALARS[kind]}


def _annotated(base: Any, *marks: Any) -> dict[str, Any]:
    schema = _of(base)
    for mark in marks:
        schema |= dict(mark.schema) if isinstance(mark, Rule) else {"description": mark}
    return schema


def _of_dataclass(kind: type[Any]) -> dict[str, Any]:
    known = fields_of(kind)
    by_name = {one.name: one for one in dataclasses.fields(kind)}
    required = [key for key, (name, _) in known.items() if name in required_of(kind)]
    schema: dict[str, Any] = {
        "type": "object",
        "description": (kind.__doc__ or "").partition("\n")[0],
        "properties": {
            key: _with_default(_of(annotation), by_name[name].default) for key, (name, annotation) in known.items()
        },
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _with_default(schema: dict[str, Any], default: Any) -> dict[str, Any]:
    return {**schema, "default": default} if isinstance(default, (str, int, float)) else schema
