"""The venv's Python beside what environment.yml asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.environment.spec import EnvironmentSpec
from provision.venv.place import Venv
from provision.venv.pythons import judge_python
from provision.venv.remark import Level
from provision.venv.stdlib import NEEDED
from tests.unit.venv.test_stdlib import build


def spec(python: str) -> EnvironmentSpec:
    return EnvironmentSpec("x", ("conda-forge",), (python,))


@pytest.mark.parametrize(
    ("version", "asked", "level"),
    [
        ("3.11.7", "python=3.11", Level.OK),
        ("3.11", "python>=3.11.4", Level.OK),
        ("3.11.7", "python", None),
        ("3.11.7", "python=3.10", Level.ADVICE),
        ("3.13.0", "python >=3.10,<3.13", Level.ADVICE),
    ],
)
def test_the_version_is_judged_as_conda_reads_it(version: str, asked: str, level: Level | None) -> None:
    found = list(judge_python(Venv(Path("/x"), ".venv", version=version), [spec(asked)]))
    assert [one.level for one in found] == [level or Level.OK]


def test_a_venv_that_does_not_say_its_version_is_told() -> None:
    (found,) = judge_python(Venv(Path("/x"), ".venv"), [spec("python=3.11")])
    assert found.check == "python-unknown"


def test_a_python_without_lzma_is_a_problem_with_the_package_that_is_missing(tmp_path: Path) -> None:
    home = build(tmp_path / "py", *[one for one in NEEDED if one != "_lzma"])
    (found,) = judge_python(Venv(Path("/x"), ".venv", home=home, version="3.11.7"), [])
    assert (found.check, found.level, found.names) == ("python-stdlib", Level.PROBLEM, ("_lzma",))
    assert "liblzma-dev" in (found.fix or "")
