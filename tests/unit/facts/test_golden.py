"""Whole outputs of the probe and the facts that they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.facts import parse, to_json

GOLDEN = Path(__file__).parents[2] / "golden/probe"


@pytest.mark.parametrize("host", sorted(path.parent.name for path in GOLDEN.glob("*/expected.json")))
def test_a_recorded_probe_gives_the_expected_facts(host: str) -> None:
    folder = GOLDEN / host

    assert to_json(parse((folder / "output").read_bytes())) == json.loads((folder / "expected.json").read_text())
    assert (folder / "source.txt").read_text().startswith(("recorded: ", "made: "))
