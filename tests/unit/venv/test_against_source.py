"""The project's imports beside what its files ask for."""

from __future__ import annotations

from provision.venv.against_source import Files, judge_source
from provision.venv.imports import Import, Source
from provision.venv.modules import Modules
from provision.venv.remark import Level, Remark
from tests.unit.venv.made import listing


def judged(*names: str, modules: Modules | None = None, **asked: frozenset[str]) -> dict[str, Remark]:
    imports = tuple(Import(name.rstrip("~"), f"{name.rstrip('~')}.py:1", aside=name.endswith("~")) for name in names)
    files = Files({name.replace("_", "."): one for name, one in asked.items()})
    found = judge_source(Source(imports, 3), files, modules or Modules(), listing("scikit-learn==1.5"))
    return {one.check: one for one in found}


def asked(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_imports_that_a_file_asks_for_are_well() -> None:
    found = judged("PIL", "sklearn", requirements_txt=asked("pillow", "scikit-learn"))
    assert [one.level for one in found.values()] == [Level.OK]


def test_an_import_that_nothing_asks_for_is_a_problem_with_its_distribution() -> None:
    found = judged("sklearn", "einops", requirements_txt=asked("numpy"))
    assert found["imports-undeclared"].level is Level.PROBLEM
    assert found["imports-undeclared"].names == ("sklearn (sklearn.py:1, of scikit-learn)", "einops (einops.py:1)")
    assert "requirements.txt" in (found["imports-undeclared"].fix or "")


def test_an_import_that_another_package_needs_is_advice() -> None:
    modules = Modules(needs={"torch": frozenset({"numpy"})})
    found = judged("numpy", modules=modules, requirements_txt=asked("torch"))
    assert [one.check for one in found.values()] == ["imports-indirect"]


def test_what_only_tests_import_is_advice() -> None:
    found = judged("pytest~", requirements_txt=asked("torch"))
    assert found["imports-aside"].level is Level.ADVICE
    assert "imports-undeclared" not in found


def test_a_headless_opencv_is_an_opencv() -> None:
    assert "imports-undeclared" not in judged("cv2", requirements_txt=asked("opencv-python-headless"))


def test_an_import_that_only_one_file_asks_for_is_told() -> None:
    found = judged("torch", "einops", requirements_txt=asked("torch", "einops"), environment_yml=asked("torch"))
    assert found["imports-one-sided"].names == ("einops (einops.py:1)",)
    assert "not asked for by environment.yml" in found["imports-one-sided"].text


def test_a_project_without_python_files_has_nothing_to_tell() -> None:
    assert list(judge_source(Source(), Files({}), Modules(), None)) == []
