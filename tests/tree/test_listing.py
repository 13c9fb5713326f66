"""Which files of a project count, by named situations."""

from __future__ import annotations

import os
import shutil
import socket
from typing import TYPE_CHECKING

import pytest

from provision.errors import UsageError
from provision.tree.counted import _check_names
from provision.tree.git import git_state
from provision.tree.listing import VanishedError, open_file, scan_tree
from tests.tree.repository import git, repository, write

if TYPE_CHECKING:
    from pathlib import Path


def paths(root: Path, **options: object) -> list[bytes]:
    return scan_tree(root, **options).paths  # type: ignore[arg-type]


def test_a_tracked_file_counts_although_ignored_and_an_untracked_one_does_not(root: Path) -> None:
    repository(root, "model.bin")
    write(root, ".gitignore", content=b"*.bin\n")
    write(root, "other.bin", "new.py")
    assert paths(root) == [b".gitignore", b"model.bin", b"new.py"]


def test_a_tracked_file_that_is_deleted_does_not_count(root: Path) -> None:
    repository(root, "kept", "gone")
    (root / "gone").unlink()
    assert paths(root) == [b"kept"]


def test_the_users_own_excludes_and_the_repositorys_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(root, "a")
    write(root.parent, "excludes", content=b"*.swp\n")
    write(root.parent, "config", content=b"[core]\nexcludesFile = %s\n" % os.fsencode(root.parent / "excludes"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(root.parent / "config"))
    write(root, ".git/info/exclude", content=b"scratch\n")
    write(root, "x.swp", "scratch", "b")
    assert paths(root) == [b"a", b"b"]


def test_a_project_below_the_top_of_the_work_tree_has_only_what_is_in_it(root: Path) -> None:
    repository(root, "top", "project/a", "project/sub/b")
    write(root, ".gitignore", content=b"*.log\n")
    write(root, "project/c.log", "project/d")
    assert paths(root / "project") == [b"a", b"d", b"sub/b"]


def test_names_of_any_bytes_are_listed(root: Path) -> None:
    names = [b"a\nb", b"-rf", b" lead", b'quo"te', b"\xff\xfe", "ü".encode(), b"n" * 255, b"tab\t"]
    repository(root, *names[:4])
    write(root, *names[4:])
    assert paths(root) == sorted(names)


def test_a_submodule_gives_its_own_answer_and_one_not_set_up_gives_nothing(root: Path) -> None:
    library = repository(root.parent / "library", "inner.py", "deep/x")
    repository(root, "a")
    git(root, "submodule", "add", "-q", str(library), "lib")
    git(root, "commit", "-q", "-m", "lib")
    write(root, "lib/.gitignore", content=b"*.o\n")
    write(root, "lib/new.py", "lib/x.o")
    assert paths(root) == [b".gitmodules", b"a", b"lib/.gitignore", b"lib/deep/x", b"lib/inner.py", b"lib/new.py"]
    git(root, "clone", "-q", ".", "../clone")
    assert paths(root.parent / "clone") == [b".gitmodules", b"a"]


def test_an_untracked_repository_inside_gives_its_own_answer(root: Path) -> None:
    repository(root, "a")
    repository(root / "nested", "b")
    write(root, "nested/.gitignore", content=b"*.o\n")
    write(root, "nested/c", "nested/d.o")
    repository(root / "nested" / "deeper", "e")
    assert paths(root) == [b"a", b"nested/.gitignore", b"nested/b", b"nested/c", b"nested/deeper/e"]


def test_a_path_in_conflict_is_listed_once(root: Path) -> None:
    repository(root, "a")
    blob = git(root, "hash-object", "-w", "a").strip().decode()
    lines = "".join(f"100644 {blob} {stage}\ta\n" for stage in (1, 2, 3))
    git(root, "update-index", "--index-info", stdin=b"0 " + b"0" * 40 + b"\ta\n" + lines.encode())
    assert paths(root) == [b"a"]


def test_what_is_tracked_below_a_folder_that_became_a_link_is_not_read_through_it(root: Path) -> None:
    repository(root, "folder/secret", "other/secret")
    shutil.rmtree(root / "folder")
    (root / "folder").symlink_to("other")
    write(root, ".git/info/exclude", content=b"folder\n")
    assert paths(root) == [b"other/secret"]


def test_a_file_that_became_a_folder_gives_what_is_in_it(root: Path) -> None:
    repository(root, "thing")
    (root / "thing").unlink()
    write(root, "thing/inside")
    assert paths(root) == [b"thing/inside"]


def test_a_git_hooks_environment_does_not_lead_astray(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(root, "mine")
    other = repository(root.parent / "other", "theirs")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert paths(root) == [b"mine"]


def test_git_runs_no_program_that_the_project_names(root: Path) -> None:
    repository(root, "a")
    git(root, "config", "core.fsmonitor", f"touch {root}/ran; false")
    assert paths(root) == [b"a"]


def test_without_git_a_work_tree_cannot_be_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(root, "a")
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(UsageError, match="there is no git here") as caught:
        scan_tree(root)
    assert caught.value.hint == "install git"


def test_what_git_cannot_read_is_an_error_as_it_would_count_as_removed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, ".git/HEAD", "a")
    warning = "could not open directory 'data/': Permission denied"
    write(root.parent, "git", content=f"#!/bin/sh\nprintf 'a\\0'\necho \"warning: {warning}\" >&2\n".encode())
    (root.parent / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(root.parent), prepend=":")
    with pytest.raises(UsageError, match="data: Permission denied"):
        scan_tree(root)
    write(root, ".provisionignore", content=b"/data/\n")
    assert scan_tree(root).paths == [b"a"]


def test_a_damaged_index_is_explained(root: Path) -> None:
    repository(root, "a")
    write(root, ".git/index", content=b"nonsense" * 9)
    with pytest.raises(UsageError, match="git cannot list the files") as caught:
        scan_tree(root)
    assert "index is damaged" in str(caught.value.hint)


def test_a_repository_that_is_gone_is_explained(root: Path) -> None:
    write(root, ".git", content=b"gitdir: /nowhere/at/all\n")
    with pytest.raises(UsageError, match="not a git repository"):
        scan_tree(root)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_repository_of_somebody_else_is_explained(root: Path) -> None:
    repository(root, "a")
    os.chown(root / ".git", 12345, 12345)
    os.chown(root, 12345, 12345)
    with pytest.raises(UsageError, match="dubious ownership") as caught:
        scan_tree(root)
    assert caught.value.hint == f"if you trust it: git config --global --add safe.directory {root}"


@pytest.mark.parametrize("in_git", [True, False])
def test_provisionignore_leaves_out_tracked_files_at_any_depth(root: Path, in_git: bool) -> None:
    write(root, "a.mp4", "sub/b.mp4", "sub/kept.mp4", "sub/data/x", "data/x")
    write(root, ".provisionignore", content=b"*.mp4\n/data/\n")
    write(root, "sub/.provisionignore", content=b"!kept.mp4\n")
    if in_git:
        repository(root)
    assert paths(root) == [b".provisionignore", b"sub/.provisionignore", b"sub/data/x", b"sub/kept.mp4"]


@pytest.mark.parametrize("in_git", [True, False])
def test_include_adds_what_is_ignored_and_says_when_it_names_nothing(root: Path, in_git: bool) -> None:
    write(root, ".gitignore", content=b"local.yaml\nweights/\n*.log\n")
    write(root, ".provisionignore", content=b"weights/\n")
    write(root, "a", "local.yaml", "weights/w", "weights/deep/.hidden", "weights/.git/config", "x/1.log", "x/.2.log")
    if in_git:
        git(root, "init", "-q")
    scan = scan_tree(root, include=("local.yaml", "weights/", "x/*.log", "nothing/*", "../out", "absent"))
    added = [b"local.yaml", b"weights/deep/.hidden", b"weights/w", b"x/.2.log", b"x/1.log"]
    assert scan.paths == sorted([b".gitignore", b".provisionignore", b"a", *added])
    assert scan.notes == [f"include: {name} matches no file" for name in ("nothing/*", "../out", "absent")]


@pytest.mark.parametrize("in_git", [True, False])
def test_git_folders_and_our_own_never_travel(root: Path, in_git: bool) -> None:
    write(root, "a", ".provision/owner.json", "sub/.provision/fine")
    if in_git:
        repository(root)
    else:
        write(root, "sub/.git/HEAD")
    assert paths(root, include=(".git", ".provision", ".")) == [b"a", b"sub/.provision/fine"]


@pytest.mark.parametrize("in_git", [True, False])
def test_a_pipe_is_listed_as_left_out_where_a_file_was(root: Path, in_git: bool) -> None:
    repository(root, "a", "pipe")
    if not in_git:
        shutil.rmtree(root / ".git")
    (root / "pipe").unlink()
    os.mkfifo(root / "pipe")
    scan = scan_tree(root)
    assert scan.paths == [b"a"]
    assert [path for path, _ in scan.skipped] == [b"pipe"]


def test_a_socket_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        assert scan_tree(root).skipped == [(b"s", "not a file: a socket, a pipe or a device")]


def test_a_folder_that_git_ignores_as_a_whole_is_noted(root: Path) -> None:
    repository(root, ".gitignore")
    write(root, ".gitignore", content=b"*\n")
    write(root, "project/a")
    assert "ignores all" in scan_tree(root / "project").notes[0]


def test_an_empty_git_folder_above_is_no_repository(root: Path) -> None:
    (root.parent / ".git").mkdir()
    write(root, "a")
    assert paths(root) == [b"a"]


def test_a_name_that_no_host_can_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="nnn: a host cannot hold"):
        _check_names([b"a", b"x/" + b"n" * 256])
    with pytest.raises(UsageError, match="a host cannot hold"):
        _check_names([b"/".join([b"d" * 200] * 21)])
    _check_names([b"/".join([b"d" * 200] * 20)])


def test_what_git_says_of_the_commit_is_recorded(root: Path) -> None:
    assert git_state(root) == (None, None, None)
    repository(root, "a", "sub/b")
    commit = git(root, "rev-parse", "HEAD").decode().strip()
    git(root, "checkout", "-q", "-b", "work")
    assert git_state(root) == (commit, "work", False)
    write(root, "new")
    assert git_state(root) == (commit, "work", True)
    assert git_state(root / "sub") == (commit, "work", False)
    git(root, "checkout", "-q", "--detach")
    assert git_state(root).branch is None


def test_a_pipe_that_took_a_files_place_does_not_block(root: Path) -> None:
    write(root, "a", "b", "c")
    scan = scan_tree(root)
    for name in ("a", "b", "c"):
        (root / name).unlink()
    os.mkfifo(root / "a")
    (root / "b").symlink_to("/etc/passwd")
    for path in scan.paths:
        with pytest.raises(VanishedError):
            open_file(scan, path)


def test_a_pattern_that_would_cost_ages_takes_none(root: Path) -> None:
    write(root, "a" * 250)
    write(root, ".gitignore", content=b"*a" * 40 + b"*b\n")
    assert len(paths(root)) == 2
    write(root, ".gitignore", content=b"**/a/" * 9 + b"b\n")
    with pytest.raises(UsageError, match=r"^\.gitignore:1: more than 4 \*\*"):
        scan_tree(root)
