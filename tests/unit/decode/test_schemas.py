"""The shipped JSON Schemas are those of the types."""

from __future__ import annotations

import json

from provision.schemas import schema_path
from provision.schemas.generate import texts


def test_the_shipped_schemas_are_current() -> None:
    for kind, text in texts().items():
        assert schema_path(kind).read_text(encoding="utf-8") == text, "run: python -m provision.schemas"


def test_a_schema_knows_keys_defaults_and_limits() -> None:
    host = json.loads(texts()["hosts"])["properties"]["hosts"]["additionalProperties"]
    assert host["additionalProperties"] is False
    assert (host["properties"]["port"]["minimum"], host["properties"]["port"]["maximum"]) == (1, 65535)
    assert "mirrors" in host["properties"]
    playbook = json.loads(texts()["playbook"])["properties"]["tasks"]["items"]["anyOf"]
    miniconda = next(one for one in playbook if "miniconda" in one.get("properties", {}))
    assert miniconda["properties"]["miniconda"]["properties"]["accept_tos"]["default"] is False
