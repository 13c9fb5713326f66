"""Where hosts.yaml is found, and who may write it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.errors import BadFileError, UsageError
from provision.inventory import find_inventory, load_inventory

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "version: 1\nhosts: {a: {address: a}}\n"


def put(path: Path, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_nearest_one_up_to_the_root_is_taken(tmp_path: Path) -> None:
    root = tmp_path / "project"
    inner = root / "a" / "b"
    inner.mkdir(parents=True)
    put(tmp_path / "hosts.yaml")
    assert find_inventory(inner, None, {"HOME": str(tmp_path / "home")}, root) is None
    assert find_inventory(inner, None, {}, None) == tmp_path / "hosts.yaml"
    found = put(root / "hosts.yaml")
    assert find_inventory(inner, None, {}, root) == found


def test_a_part_of_a_repository_uses_the_repositorys_inventory(tmp_path: Path) -> None:
    put(tmp_path / "hosts.yaml")
    part = tmp_path / "repo" / "part"
    part.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    assert find_inventory(part, None, {"HOME": str(tmp_path / "home")}, part) is None
    found = put(tmp_path / "repo" / "hosts.yaml")
    assert find_inventory(part, None, {}, part) == found


def test_what_is_named_comes_first_and_the_users_folder_last(tmp_path: Path) -> None:
    project, named, config = (tmp_path / one for one in ("project", "named.yaml", "config"))
    put(project / "hosts.yaml")
    put(named)
    own = put(config / "provision" / "hosts.yaml")
    environ = {"XDG_CONFIG_HOME": str(config)}
    assert find_inventory(project, None, environ, project) == project / "hosts.yaml"
    assert find_inventory(project, None, {**environ, "PROVISION_INVENTORY": str(named)}, project) == named
    assert find_inventory(tmp_path / "empty", None, environ, tmp_path / "empty") == own
    assert find_inventory(tmp_path / "empty", project, environ, None) == project / "hosts.yaml"


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml: no such file \(named by \$PROVISION_INVENTORY\)"):
        find_inventory(tmp_path, None, {"PROVISION_INVENTORY": str(tmp_path / "x.yaml")})


def test_a_file_that_everyone_can_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="everyone on this machine can write it"):
        load_inventory(put(tmp_path / "hosts.yaml", 0o646))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_that_a_group_of_others_can_write_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "hosts.yaml", 0o664)
    os.chown(path, 0, 12345)
    with pytest.raises(BadFileError, match="a group of others can write it"):
        load_inventory(path)


def test_a_file_that_only_its_owner_can_write_is_taken(tmp_path: Path) -> None:
    assert load_inventory(put(tmp_path / "hosts.yaml", 0o600)).hosts == ("a",)
