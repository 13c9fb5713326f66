"""What is remembered is private, replaced in one step, and never needed."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provision.sync.manifest import FILE, Entry, Manifest
from provision.tree.listing import scan_tree
from provision.tree.state import TreeState, base_key, client_id, state_folder
from tests.tree.repository import write

MANIFEST = Manifest.of({b"a": Entry(FILE, 1, bytes(32))})


def test_the_client_is_made_once_whoever_asks_first() -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len({future.result() for future in [pool.submit(client_id) for _ in range(64)]}) == 1
    assert [path.name for path in state_folder().iterdir()] == ["client-id"]


@pytest.mark.parametrize("damage", [b"", b"short\n", b"\xff" * 40, b"Z" * 32])
def test_a_damaged_client_is_made_anew(damage: bytes) -> None:
    write(state_folder(), "client-id", content=damage)
    assert client_id() == client_id()
    assert len(client_id()) == 32


def test_where_nothing_can_be_kept_the_client_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    assert client_id() == client_id()
    assert len(client_id()) == 32


def test_a_relative_state_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    assert state_folder() == Path.home() / ".local" / "state" / "provision"


def test_answers_and_bases_come_back(root: Path) -> None:
    state = TreeState.of(root)
    key = base_key("gpu", "u", "198.18.0.1", 22, "/home/u/work/x")
    assert (state.answers(), state.base(key)) == ({}, None)
    assert state.save_answers({"large": True}) is None
    assert state.save_base(key, MANIFEST.blob) is None
    assert (TreeState.of(root).answers(), TreeState.of(root).base(key)) == ({"large": True}, MANIFEST.blob)
    assert TreeState.of(root.parent).answers() == {}


@pytest.mark.parametrize("damage", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_damaged_state_is_as_if_absent(root: Path, damage: bytes) -> None:
    state = TreeState.of(root)
    write(state.folder, "answers.json", content=damage)
    assert state.answers() == {}


def test_everything_is_private_whatever_the_umask(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "new"))
    write(root, "a")
    before = os.umask(0)
    try:
        state = TreeState.of(root)
        client_id()
        state.save_answers({})
        state.save_base("0123456789abcdef", MANIFEST.blob)
        scan_tree(root, state=state).save()
    finally:
        os.umask(before)
    places = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert len(places) == 9
    modes = {stat.S_IMODE(place.stat().st_mode) for place in places if place.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(place.stat().st_mode) for place in places if place.is_file()} == {0o600}


def test_a_state_that_cannot_be_written_is_noted_and_stops_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    write(root, "a")
    state = TreeState.of(root)
    scan = scan_tree(root, state=state)
    scan.save()
    assert "cannot be written" in scan.notes[0]
    assert "cannot be written" in str(state.save_answers({}))


def test_a_full_disk_leaves_the_old_state(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = TreeState.of(root)
    state.save_answers({"old": True})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("provision.tree.state.os.rename", full)
    assert "No space left" in str(state.save_answers({"new": True}))
    assert state.answers() == {"old": True}
    assert [path.name for path in state.folder.iterdir()] == ["answers.json"]
