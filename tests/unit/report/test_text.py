"""What a user reads when both streams are pipes, for scripted runs; the expected texts are golden files.

PROVISION_REWRITE_GOLDEN=1 writes them anew: read the difference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.report.streams import SCENES, shown

GOLDEN = Path(__file__).parents[2] / "golden" / "report"


@pytest.mark.parametrize("scene", SCENES)
def test_a_run_reads_as_recorded(scene: str) -> None:
    command, runs, options = SCENES[scene]
    text = shown(command, runs, **options)
    if os.environ.get("PROVISION_REWRITE_GOLDEN"):
        (GOLDEN / f"{scene}.txt").write_text(text, encoding="utf-8")
    assert text == (GOLDEN / f"{scene}.txt").read_text(encoding="utf-8")


def test_every_recorded_text_belongs_to_a_run() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SCENES)


@pytest.mark.parametrize("scene", SCENES)
def test_no_text_of_a_host_reaches_the_terminal_raw(scene: str) -> None:
    command, runs, options = SCENES[scene]
    text = shown(command, runs, **options)
    assert not [one for one in text if one != "\n" and not one.isprintable()]
