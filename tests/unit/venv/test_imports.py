"""What the source imports, by its syntax alone."""

from __future__ import annotations

import warnings
from pathlib import Path, PurePath

import pytest

from provision.venv.imports import Source, read_source


def read(root: Path, **files: str) -> Source:
    """Read files, whose names have `__` for a slash."""
    paths = []
    for name, text in files.items():
        path = PurePath(name.replace("__", "/") + ".py")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        paths.append(path)
    return read_source(root, paths)


def modules(found: Source) -> list[str]:
    return [one.module for one in found.imports]


def test_first_names_with_the_first_place(tmp_path: Path) -> None:
    found = read(
        tmp_path, a="import os\n", train="import torch.nn as nn, einops\nfrom PIL.Image import open\nimport torch\n"
    )
    assert [(one.module, one.where) for one in found.imports] == [
        ("PIL", "train.py:2"),
        ("einops", "train.py:1"),
        ("torch", "train.py:1"),
    ]
    assert found.files == 2


def test_the_standard_library_and_relative_imports_are_not_told(tmp_path: Path) -> None:
    assert modules(read(tmp_path, pkg__a="import sys, _lzma\nfrom . import b\nfrom ..c import d\n")) == []


def test_the_projects_own_modules_are_not_told(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        src__mymodel____init="",
        src__mymodel__net="import torch\n",
        scripts__train="import helpers_of_mine\nfrom mymodel.net import Net\nimport config\n",
        scripts__helpers_of_mine="",
        config="",
    )
    assert modules(found) == ["torch"]


def test_a_module_of_another_folder_is_not_found_by_a_script(tmp_path: Path) -> None:
    found = read(tmp_path, tools__einops="", train="import einops\n")
    assert modules(found) == ["einops"]


def test_an_import_whose_failure_is_caught_is_not_needed(tmp_path: Path) -> None:
    text = (
        "try:\n    import flash_attn\nexcept ImportError:\n    import slow_attn\n"
        "try:\n    import apex\nexcept (AttributeError, ModuleNotFoundError):\n    apex = None\n"
        "else:\n    import after\n"
        "try:\n    import needed\nexcept ValueError:\n    pass\n"
    )
    assert modules(read(tmp_path, train=text)) == ["after", "needed"]


def test_what_only_a_type_checker_sees_is_not_needed(tmp_path: Path) -> None:
    text = "import typing\nif typing.TYPE_CHECKING:\n    import pandas\nelse:\n    import polars\n"
    assert modules(read(tmp_path, train=text)) == ["polars"]


def test_imports_inside_functions_count(tmp_path: Path) -> None:
    text = "class A:\n    async def f(self):\n        with x:\n            import wandb\n"
    assert modules(read(tmp_path, train=text)) == ["wandb"]


@pytest.mark.parametrize("name", ["tests__test_a", "conftest", "docs__conf", "setup", "test_it"])
def test_what_only_tests_and_tools_import_is_told_apart(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, **{name: "import pytest, torch\n", "zz_train": "import torch\n"})
    assert [(one.module, one.aside) for one in found.imports] == [("pytest", True), ("torch", False)]


def test_files_that_are_no_python_are_told_and_skipped(tmp_path: Path) -> None:
    found = read(tmp_path, a="import torch\n", b="print 'old'\n", c="import (\n")
    (tmp_path / "null.py").write_bytes(b"import x\0\n")
    (tmp_path / "latin.py").write_bytes("x = 'ü'\n".encode("latin-1"))
    (tmp_path / "deep.py").write_text("(" * 5000 + ")" * 5000)
    (tmp_path / "declared.py").write_bytes("# coding: latin-1\nx = 'ü'\nimport einops\n".encode("latin-1"))
    found = read_source(tmp_path, [PurePath(one.name) for one in tmp_path.glob("*.py")] + [PurePath("gone.py")])
    assert modules(found) == ["einops", "torch"]
    assert sorted(one.partition(":")[0].partition(" ")[0] for one in found.problems) == [
        "b.py",
        "c.py",
        "deep.py",
        "gone.py",
        "latin.py",
        "null.py",
    ]
    assert any(one.startswith("b.py:1: ") for one in found.problems)


def test_doubtful_source_does_not_warn(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(tmp_path, a="x = '\\d'\nif x is 'd': import torch\n")
    assert modules(found) == ["torch"]


def test_nothing_is_run(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    read(tmp_path, a=f"open({str(witness)!r}, 'w')\n")
    assert not witness.exists()
