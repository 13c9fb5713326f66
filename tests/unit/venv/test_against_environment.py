"""The venv beside environment.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.spec import EnvironmentSpec
from provision.venv.against_environment import brought_names, judge_environment
from provision.venv.declared import Requirements, read_requirements
from provision.venv.remark import Level, Remark
from tests.unit.venv.made import listing

if TYPE_CHECKING:
    from pathlib import Path


def spec(*dependencies: str, pip: tuple[str, ...] = ()) -> EnvironmentSpec:
    return EnvironmentSpec("x", ("conda-forge",), dependencies, pip)


def judged(asked: EnvironmentSpec, *packages: str, declared: Requirements | None = None) -> dict[str, Remark]:
    return {one.check: one for one in judge_environment(asked, listing(*packages), declared)}


def requirements(tmp_path: Path, *lines: str) -> Requirements:
    (tmp_path / "requirements.txt").write_text("\n".join(lines))
    return read_requirements(tmp_path / "requirements.txt")


def test_both_sections_count_by_the_name_that_pip_uses() -> None:
    asked = spec("python=3.11", "pytorch=2.4", "libgcc-ng", "__cuda", pip=("--pre", "PyYAML>=6", "bad line here"))
    assert brought_names(asked) == {"torch", "pyyaml"}


def test_a_venv_that_goes_with_it_is_well() -> None:
    found = judged(spec("python", "numpy=1.26", "pytorch=2.4"), "numpy==1.26.4", "torch==2.4.1+cpu")
    assert [one.level for one in found.values()] == [Level.OK]


def test_other_versions_are_told_for_both_sections() -> None:
    found = judged(spec("numpy=1.26", pip=("einops>=0.8",)), "numpy==2.1.0", "einops==0.7.0", "six==1")
    assert found["environment-versions"].names == ("einops 0.7.0 (einops>=0.8)", "numpy 2.1.0 (numpy=1.26)")


def test_one_thing_asked_of_pip_and_of_conda_is_told_whatever_it_is_called() -> None:
    found = judged(spec("pytorch=2.4", "numpy", "opencv", pip=("torch==2.4.0", "NumPy", "opencv-python-headless")))
    assert len(found["environment-shadowed"].names) == 3
    assert "'torch==2.4.0' and 'pytorch=2.4'" in found["environment-shadowed"].names


def test_what_requirements_txt_alone_asks_for_is_told_but_not_what_belongs_to_conda(tmp_path: Path) -> None:
    declared = requirements(tmp_path, "torch", "wandb", "nvidia-cublas-cu12")
    found = judged(spec("pytorch"), "torch==2", "wandb==1", declared=declared)
    assert found["environment-lacks"].names == ("wandb",)


def test_what_the_pip_section_alone_asks_for_is_told_where_the_venv_lacks_it(tmp_path: Path) -> None:
    asked = spec("python", pip=("einops", "numpy", "pywin32; sys_platform == 'win32'"))
    found = judged(asked, "six==1", declared=requirements(tmp_path, "numpy"))
    assert found["environment-missing"].names == ("einops",)


def test_without_a_venv_only_the_files_are_compared(tmp_path: Path) -> None:
    found = list(judge_environment(spec("numpy"), None, requirements(tmp_path, "wandb")))
    assert [one.check for one in found] == ["environment-lacks"]
