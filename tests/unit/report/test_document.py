from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import provision.schemas
from provision.report.document import document
from provision.report.face import Face
from provision.report.fold import fold
from provision.report.pages import why
from tests.unit.report.streams import SCENES, changed, failed, hostile, pending, timed

SCHEMA: dict[str, Any] = json.loads(
    (Path(provision.schemas.__file__).parent / "output.json").read_text(encoding="utf-8")
)
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def wrong(  # noqa: C901 - one keyword of the schema after the other
    value: Any, schema: dict[str, Any], path: str = "$"
) -> list[str]:
    """What of a JSON Schema (the keywords that ours uses) a value does not meet; unknown fields are wrong too."""
    if "$ref" in schema:
        return wrong(value, SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]], path)
    if "anyOf" in schema:
        tried = [wrong(value, one, path) for one in schema["anyOf"]]
        return [] if [] in tried else [f"{path}: none of anyOf"]
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value} not in enum")
    names = schema.get("type", [])
    kinds = tuple(TYPES[one] for one in ([names] if isinstance(names, str) else names))
    if kinds and not any(isinstance(value, one) for one in kinds):
        found.append(f"{path}: {value!r} is no {names}")
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{path}: no {one}" for one in schema.get("required", []) if one not in value]
        found += [f"{path}.{one}: not described" for one in value if one not in schema["properties"]]
        for key, inner in schema["properties"].items():
            found += wrong(value[key], inner, f"{path}.{key}") if key in value else []
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for key, inner in value.items():
            found += wrong(inner, schema["additionalProperties"], f"{path}.{key}")
    if isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            found += wrong(inner, schema["items"], f"{path}[{number}]")
    return found


def printed(scene: str) -> dict[str, Any]:
    command, runs, options = SCENES[scene]
    out, err = io.StringIO(), io.StringIO()
    face = Face(command, list(runs), json=True, environ={}, stdout=out, stderr=err, **options)
    for one in timed(runs):
        face.take(one)
    face.finish()
    document: dict[str, Any] = json.loads(out.getvalue())
    assert document["exit_code"] == face.exit_code()
    return document


@pytest.mark.parametrize("scene", SCENES)
def test_every_run_prints_one_document_that_the_schema_describes(scene: str) -> None:
    assert wrong(printed(scene), SCHEMA) == []


def test_the_schema_refuses_what_is_not_a_document() -> None:
    good = printed("up-failed")
    assert wrong({**good, "schema_version": 2}, SCHEMA)
    assert wrong({**good, "more": 1}, SCHEMA)
    host = good["hosts"]["gpu-box"]
    assert wrong({**good, "hosts": {"a": {**host, "outcome": "fine"}}}, SCHEMA)
    assert wrong({**good, "hosts": {"a": {**host, "error": {"kind": "x"}}}}, SCHEMA)


def test_up_says_what_was_done() -> None:
    made = document(fold("up", ["a"], timed({"a": changed("a")})), "up")
    assert (made["schema_version"], made["command"], made["exit_code"]) == (1, "up", 0)
    host = made["hosts"]["a"]
    assert [(one["changed"], one["seconds"]) for one in host["steps"]] == [
        (True, 3.0),
        (True, 75.2),
        (False, 2.0),
        (True, 0.1),
    ]
    assert host["facts"]["gpu"]["driver"] == "550.54"
    assert host["error"] is None
    assert host["findings"][0] == {
        "code": "GPU-DRIVER-OLD",
        "severity": "warning",
        "message": "driver 470 is older than CUDA 12.4 needs",
        "why": why("GPU-DRIVER-OLD"),
        "fix": "install 550",
    }


def test_plan_says_what_would_be_done() -> None:
    made = document(fold("plan", ["a"], timed({"a": pending("a")})), "plan", pending_is_7=True)
    assert made["exit_code"] == 7
    assert [(one["changed"], one["seconds"]) for one in made["hosts"]["a"]["steps"]] == [
        (True, None),
        (True, None),
        (False, None),
        (True, None),
    ]


def test_a_dry_run_of_up_is_documented_as_up_with_the_steps_of_a_plan() -> None:
    made = printed("up-dry-run")
    assert made["command"] == "up"
    assert len(made["hosts"]["gpu-box"]["steps"]) == 4


def test_an_error_has_kind_message_hint_and_known_causes_alone() -> None:
    host = document(fold("up", ["a"], timed({"a": failed("a")})))["hosts"]["a"]
    assert set(host["error"]) == {"kind", "message", "hint", "known"}


def test_texts_that_are_no_unicode_are_still_json() -> None:
    json.dumps(document(fold("up", ["a"], timed({"a": hostile("a")}))), ensure_ascii=False).encode("utf-8")
