"""The commit and branch read from git's own files are those that git says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.tree.git import git_state
from provision.tree.head import Head, head
from tests.sync.trees import git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on the branch "main"."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.py").write_text("a")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def agrees(folder: Path) -> Head:
    """Return the head, which git must see alike."""
    read = head(folder)
    assert read is not None
    said = git_state(folder)
    assert (read.commit, read.branch) == (said.commit, said.branch)
    return read


def test_a_branch_and_its_commit_are_read(repository: Path) -> None:
    assert agrees(repository).branch == "main"
    git(repository, "checkout", "-q", "-b", "feature/one-more")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    assert agrees(repository).branch == "feature/one-more"


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert agrees(repository).branch is None


def test_packed_references_are_read(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    assert agrees(repository).branch == "main"
    git(repository, "commit", "-q", "--allow-empty", "-m", "after the packing")
    agrees(repository)


def test_a_worktree_has_its_own_head_and_the_repositorys_branches(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    assert agrees(tmp_path / "other").branch == "other"
    git(repository, "pack-refs", "--all")
    assert agrees(tmp_path / "other").branch == "other"
    assert agrees(repository).branch == "main"


def test_a_folder_within_a_repository_is_at_its_head(repository: Path) -> None:
    (repository / "sub").mkdir()
    assert agrees(repository / "sub").branch == "main"


def test_outside_git_and_before_the_first_commit_there_is_none(tmp_path: Path) -> None:
    assert head(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert head(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "ref: refs/heads/../../config", "ref: ", "no commit", "ref: refs/heads/gone", "\x00"]
)
def test_what_cannot_be_understood_is_none(repository: Path, text: str) -> None:
    (repository / ".git/HEAD").write_text(text)
    assert head(repository) is None
