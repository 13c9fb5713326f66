"""What is left out is listed with the line that says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.tree.left_out import left_out
from tests.tree.repository import git, repository, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("in_git", [True, False])
def test_each_path_comes_with_its_rule(root: Path, in_git: bool) -> None:
    write(root, ".gitignore", content=b"# built\n*.o\ndata/\n")
    write(root, "sub/.gitignore", content=b"x\n")
    write(root, "a", "b.o", "data/1", "data/2", "sub/x", "sub/y", "only/1.o", "film/f", "kept.o")
    write(root, ".provisionignore", content=b"film/\n")
    os.mkfifo(root / "sub" / "pipe")
    if in_git:
        git(root, "init", "-q")
    git_folder = [(b".git/", "never sent")] if in_git else []
    assert left_out(root, ("kept.o",)) == [
        *git_folder,
        (b"b.o", ".gitignore:2:*.o"),
        (b"data/", ".gitignore:3:data/"),
        (b"film/", ".provisionignore:1:film/"),
        (b"only/1.o", ".gitignore:2:*.o"),
        (b"sub/pipe", "not a file: a socket, a pipe or a device"),
        (b"sub/x", "sub/.gitignore:1:x"),
    ]


def test_a_nested_repository_names_its_own_files(root: Path) -> None:
    repository(root, "a")
    repository(root / "nested", "b")
    write(root, "nested/.gitignore", content=b"*.o\n")
    write(root, "nested/c.o")
    assert left_out(root) == [
        (b".git/", "never sent"),
        (b"nested/.git/", "never sent"),
        (b"nested/c.o", "nested/.gitignore:1:*.o"),
    ]


def test_a_project_below_the_top_names_the_rule_above_it(root: Path) -> None:
    repository(root, "project/a")
    write(root, ".gitignore", content=b"*.o\n")
    write(root, "project/b.o")
    ((path, rule),) = left_out(root / "project")
    assert path == b"b.o"
    assert rule.endswith(".gitignore:1:*.o")
