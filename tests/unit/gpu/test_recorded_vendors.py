"""AMD's and Huawei's tools: every recorded, documented or made situation, and what must come out of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from provision.facts import parse, to_json
from provision.gpu.findings import judge
from provision.model.host import Expect
from provision.report.verdict import fact_line
from tests.unit.gpu.recorded_vendors import GOLDEN, SITUATIONS, named, probed

if TYPE_CHECKING:
    from pathlib import Path


def expected(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("folder", SITUATIONS, ids=named)
def test_each_situation_gives_exactly_these_facts(folder: Path) -> None:
    wanted = expected(folder)
    facts = parse(probed(folder))
    shown = to_json(facts)["gpu"]

    assert shown["others"] == [wanted["vendor"]]
    assert [{name: one[name] for name in two} for one, two in zip(shown["gpus"], wanted["gpus"], strict=True)] == (
        wanted["gpus"]
    )
    assert {one["vendor"] for one in shown["gpus"]} <= {wanted["vendor"]["vendor"]}
    assert shown["processes"] == wanted["processes"]
    assert list(facts.problems) == wanted.get("problems", [])
    assert (facts.gpu.nvidia_smi, facts.gpu.driver, facts.gpu.cuda) == (None, None, None)


@pytest.mark.parametrize("folder", SITUATIONS, ids=named)
def test_each_situation_gives_exactly_these_findings(folder: Path) -> None:
    wanted = expected(folder)
    facts = parse(probed(folder))

    found = judge(facts, Expect(**wanted["expect"]))

    assert [[one.code, one.severity.value] for one in found] == wanted["findings"]
    assert fact_line(facts) == wanted["line"]


@pytest.mark.parametrize("folder", SITUATIONS, ids=named)
def test_each_situation_says_where_it_is_from(folder: Path) -> None:
    kinds = ("recorded:", "documented:", "made:")
    source = (folder / "source.txt").read_text(encoding="utf-8")

    assert source.startswith(kinds)
    assert all(len(line) <= 160 for line in source.splitlines())


@pytest.mark.parametrize("tool", ["amd_smi", "npu_smi"])
def test_the_index_names_every_situation(tool: str) -> None:
    text = (GOLDEN / tool / "README.md").read_text(encoding="utf-8")

    assert [folder.name for folder in SITUATIONS if folder.parent.name == tool and f"`{folder.name}`" not in text] == []
