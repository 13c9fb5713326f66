"""Git's files outside the project's folder: a project in a subfolder, and a linked work tree."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.tree.head import git_folder, head
from provision.tree.rules_outside import RulesOutside
from tests.tree.repository import git, repository, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def outer(tmp_path: Path) -> Path:
    return repository(tmp_path / "outer", "sub/train.py", ".gitignore")


def test_a_projects_own_repository_is_no_business_of_it(outer: Path) -> None:
    rules = RulesOutside(outer)
    write(outer, "new")
    git(outer, "add", "-A")
    assert not rules.changed()


def test_in_a_subfolder_the_index_and_the_rules_above_count(outer: Path) -> None:
    rules = RulesOutside(outer / "sub")
    assert not rules.changed()
    write(outer, "sub/new")
    git(outer, "add", "-f", "sub/new")
    assert rules.changed()
    assert not rules.changed()
    write(outer, ".gitignore", content=b"*.bin")
    assert rules.changed()
    write(outer, ".git/info/exclude", content=b"*.log")
    assert rules.changed()
    (outer / ".gitignore").unlink()
    assert rules.changed()


def test_of_a_linked_work_tree_its_own_index_and_the_common_rules_count(outer: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(outer, "worktree", "add", "-q", str(linked))
    where = git_folder(linked)
    assert where is not None
    assert where.top == os.fsencode(linked)
    assert os.path.realpath(where.common) == os.fsencode(outer / ".git")
    at = head(linked)
    assert at is not None
    assert at.branch == "linked"
    rules = RulesOutside(linked)
    write(outer, "elsewhere")
    git(outer, "add", "-f", "elsewhere")
    assert not rules.changed(), "another work tree has an index of its own"
    write(linked, "new")
    git(linked, "add", "-f", "new")
    assert rules.changed()
    write(outer, ".git/info/exclude", content=b"*.log")
    assert rules.changed()


def test_outside_git_there_is_nothing_to_look_at(root: Path) -> None:
    assert not RulesOutside(root).changed()
