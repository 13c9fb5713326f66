"""A venv is read without running anything of it, whatever stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.remote.sources import source
from provision.venv.reading import read_packages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.venv.made import MadeVenv

PROGRAM = source("list_packages.py")


def names(path: Path) -> list[str]:
    return [one.name for one in read_packages(path, PROGRAM).pip]


def test_packages_are_told_with_who_asked_for_them(venv: MadeVenv) -> None:
    venv.add("numpy", "2.1.0", requested=True)
    venv.add("typing-extensions", "4.12.0")
    found = read_packages(venv.path, PROGRAM)
    assert [(one.name, one.version, one.requested) for one in found.pip] == [
        ("numpy", "2.1.0", True),
        ("typing-extensions", "4.12.0", False),
    ]
    assert found.markers is not None
    assert found.markers["python_version"] == "3.11"


def test_nothing_of_the_venv_is_run_or_imported(venv: MadeVenv, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    code = f"open({str(witness)!r}, 'w')\n"
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "evil.py"):
        (venv.site / name).write_text(code)
    (venv.site / "evil.pth").write_text("import evil\n")
    (venv.path / "bin" / "python").unlink()
    (venv.path / "bin" / "python").write_text(f"#!/bin/sh\n: >{witness}\n")
    (venv.path / "bin" / "python").chmod(0o755)
    venv.add("numpy", "2.1.0")
    assert names(venv.path) == ["numpy"]
    assert not witness.exists()


def test_broken_metadata_is_told_and_the_rest_is_read(venv: MadeVenv) -> None:
    venv.add("numpy", "2.1.0")
    (venv.site / "empty-1.0.dist-info").mkdir()
    nameless = venv.site / "nameless-1.0.dist-info"
    nameless.mkdir()
    (nameless / "METADATA").write_bytes(b"\xff\xfe\x00 no: metadata\n\n")
    bad_origin = venv.add("torch", "2.4.0")
    (bad_origin / "direct_url.json").write_text("{")
    found = read_packages(venv.path, PROGRAM)
    assert [one.name for one in found.pip] == ["numpy"]
    assert [one.partition(":")[0] for one in found.problems] == [
        "empty-1.0.dist-info",
        "nameless-1.0.dist-info",
        "torch-2.4.0.dist-info",
    ]


def test_ten_thousand_packages_are_read(venv: MadeVenv) -> None:
    for number in range(10_000):
        info = venv.site / f"p{number}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: p{number}\nVersion: 1\n\n")
    assert len(names(venv.path)) == 10_000


def test_an_endless_file_takes_neither_all_memory_nor_the_run(venv: MadeVenv) -> None:
    info = venv.site / "endless-1.dist-info"
    info.mkdir()
    (info / "METADATA").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="could not be read"):
        read_packages(venv.path, PROGRAM)


def test_links_that_lead_out_are_read_as_what_they_lead_to(venv: MadeVenv, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    venv.site.rename(elsewhere)
    venv.site.symlink_to(elsewhere)
    (venv.path / "lib64").symlink_to("lib")
    (elsewhere / "six-1.dist-info").mkdir()
    (elsewhere / "six-1.dist-info" / "METADATA").write_text("Name: six\nVersion: 1\n\n")
    assert names(venv.path) == ["six"]


def test_a_folder_without_packages_has_none(tmp_path: Path) -> None:
    assert names(tmp_path) == []
