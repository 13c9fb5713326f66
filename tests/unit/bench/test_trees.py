"""The trees that are sent: reproducible, committed, and compared by all that a copy must keep."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from bench.sync_cases import why_not_sync
from bench.trees import MEAN_BYTES, Tree, digest, plant

if TYPE_CHECKING:
    from pathlib import Path

FILES = 600


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return plant(tmp_path_factory.mktemp("trees") / "sources", FILES)


def git(tree: Tree, *words: str) -> list[str]:
    asked = subprocess.run(["git", "-C", str(tree.folder), *words], capture_output=True, text=True, check=True)
    return asked.stdout.splitlines()


def test_a_tree_has_the_files_it_was_asked_for_all_in_one_commit(tree: Tree) -> None:
    assert len(git(tree, "ls-files")) == FILES == tree.size
    assert len(git(tree, "log", "--format=%h")) == 1
    assert git(tree, "status", "--short") == []


def test_the_files_have_the_sizes_of_source_code(tree: Tree) -> None:
    sizes = [(tree.folder / one).stat().st_size for one in tree.files]
    assert 0.8 * MEAN_BYTES < sum(sizes) / len(sizes) < 1.2 * MEAN_BYTES
    assert max(sizes) > 5 * MEAN_BYTES


def test_the_same_number_of_files_gives_the_same_tree(tree: Tree, tmp_path: Path) -> None:
    assert digest(plant(tmp_path / "again", FILES).folder) == digest(tree.folder)


def test_a_twin_is_equal_and_gets_the_same_edits_each_in_another_file(tree: Tree, tmp_path: Path) -> None:
    one, other = tree.twin(tmp_path / "one"), tree.twin(tmp_path / "other")
    one.edit()
    assert digest(one.folder) != digest(other.folder)
    other.edit()
    assert digest(one.folder) == digest(other.folder)
    one.edit()
    changed = [name for name in tree.files if (one.folder / name).read_bytes() != (tree.folder / name).read_bytes()]
    assert len(changed) == 2


@pytest.mark.parametrize("damage", ["content", "missing", "more", "mode", "link"])
def test_the_digest_sees_whatever_a_copy_must_keep(tree: Tree, tmp_path: Path, damage: str) -> None:
    copy = tree.twin(tmp_path / "copy").folder
    link = next(path for path in sorted(copy.rglob("*")) if path.is_symlink())
    victim = copy / tree.files[0]
    match damage:
        case "content":
            victim.write_bytes(victim.read_bytes()[:-1] + b"!")
        case "missing":
            victim.unlink()
        case "more":
            (copy / "new").touch()
        case "mode":
            victim.chmod(victim.stat().st_mode ^ 0o100)
        case _:
            content = link.read_bytes()
            link.unlink()
            link.write_bytes(content)
    assert digest(copy) != digest(tree.folder)


def test_the_digest_leaves_out_what_no_tool_sends(tree: Tree, tmp_path: Path) -> None:
    copy = tree.twin(tmp_path / "copy").folder
    (copy / ".provision").mkdir()
    (copy / ".provision/manifest").touch()
    assert digest(copy) == digest(tree.folder)


def test_a_machine_without_rsync_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sync_cases.which", lambda name: None if name == "rsync" else name)
    assert why_not_sync() == "sync is measured beside rsync, and rsync is not on the PATH"
    monkeypatch.setattr("bench.sync_cases.which", lambda name: name)
    assert why_not_sync() is None
