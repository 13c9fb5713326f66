"""Which venv is the project's, and whether it can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.venv.place import elsewhere, find_venv
from tests.unit.venv.made import MadeVenv, make_venv

if TYPE_CHECKING:
    from pathlib import Path


def test_the_most_usual_name_wins_and_the_others_are_told(tmp_path: Path) -> None:
    for name in ("env", "venv", ".venv"):
        make_venv(tmp_path / name)
    found = find_venv(tmp_path, {})
    assert found is not None
    assert (found.path, found.origin) == (tmp_path / ".venv", ".venv")
    assert found.others == (tmp_path / "venv", tmp_path / "env")


def test_the_active_venv_wins_where_it_lies_in_the_project(tmp_path: Path) -> None:
    for name in (".venv", "venv"):
        make_venv(tmp_path / name)
    found = find_venv(tmp_path, {"VIRTUAL_ENV": str(tmp_path / "venv")})
    assert found is not None
    assert (found.path.name, found.origin) == ("venv", "$VIRTUAL_ENV")


def test_an_active_venv_of_something_else_is_not_the_projects(tmp_path: Path) -> None:
    other = make_venv(tmp_path / "other" / ".venv")
    root = tmp_path / "project"
    root.mkdir()
    environ = {"VIRTUAL_ENV": str(other.path)}
    assert find_venv(root, environ) is None
    assert elsewhere(root, environ) == str(other.path)
    assert elsewhere(tmp_path / "other", environ) is None


def test_a_folder_of_that_name_without_its_mark_is_no_venv(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / ".venv").write_text("")
    assert find_venv(tmp_path, {}) is None


def test_what_pyvenv_cfg_says_is_read(tmp_path: Path) -> None:
    make_venv(
        tmp_path / ".venv",
        config="home = /usr/bin\nInclude-System-Site-Packages = TRUE\nversion_info = 3.12.1.final.0\nprompt\n",
    )
    found = find_venv(tmp_path, {})
    assert found is not None
    assert (str(found.home), found.version, found.series, found.system_site) == ("/usr/bin", "3.12.1", "3.12", True)


def test_a_venv_whose_python_was_removed_is_broken(tmp_path: Path) -> None:
    made = make_venv(tmp_path / ".venv", python=str(tmp_path / "gone" / "python3.9"))
    found = find_venv(tmp_path, {})
    assert found is not None
    assert found.broken is not None
    assert "gone/python3.9, which is gone" in found.broken
    found.python.unlink()
    assert found.broken == f"{made.path}/bin/python is not there"


def test_a_whole_venv_is_not_broken(venv: MadeVenv) -> None:
    found = find_venv(venv.path.parent, {})
    assert found is not None
    assert found.broken is None


def test_what_is_chosen_must_be_a_venv_or_a_conda_environment(tmp_path: Path) -> None:
    (tmp_path / "conda" / "conda-meta").mkdir(parents=True)
    assert find_venv(tmp_path, {}, tmp_path / "conda") is not None
    with pytest.raises(ValueError, match=r"no venv, there is no pyvenv\.cfg in it"):
        find_venv(tmp_path, {}, tmp_path)


def test_a_config_that_is_no_text_says_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    made = make_venv(tmp_path / ".venv")
    (made.path / "pyvenv.cfg").write_bytes(b"\xff\xfe\x00home\xff = \x00\nversion = \xe9\n")
    found = find_venv(tmp_path, {})
    assert found is not None
    assert found.version is None
