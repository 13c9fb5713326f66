from __future__ import annotations

from pathlib import Path

import pytest

from provision.demo.folder import candidates, choose, temporary
from provision.errors import UnfitError


def test_the_users_own_temporary_folder_comes_first_and_the_home_last() -> None:
    places = candidates({"TMPDIR": "/scratch", "HOME": "/home/me"})
    assert places[0] == Path("/scratch")
    assert places[-1] == Path("/home/me/.cache")


def test_a_path_with_a_space_is_passed_over(tmp_path: Path) -> None:
    spaced, plain = tmp_path / "my files", tmp_path / "plain"
    spaced.mkdir()
    plain.mkdir()
    assert choose((spaced, plain), 1) == plain


def test_without_room_anywhere_each_place_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UnfitError) as raised:
        choose((tmp_path, tmp_path / "absent"), 1 << 60)
    assert f"{tmp_path}: " in raised.value.message
    assert "1152921504.6 needed" in raised.value.message
    assert f"{tmp_path / 'absent'}: no folder to write to" in raised.value.message


def test_the_folder_goes_with_all_that_is_locked_up_in_it(tmp_path: Path) -> None:
    with temporary(tmp_path, keep=False) as folder:
        inner = folder / "a/b"
        inner.mkdir(parents=True)
        (inner / "file").touch()
        inner.chmod(0o500)
        (folder / "a").chmod(0o500)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_goes_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), temporary(tmp_path, keep=False):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_kept_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    with temporary(tmp_path, keep=True) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.is_dir()
