"""What an environment has that its build had not: by name, by who brought it, and no more than that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.drift import (
    Change,
    Damage,
    Held,
    compare,
    damaged,
    distributions,
    held,
    held_by_lock,
)
from provision.environment.listing import CondaPackage, Listing, PipPackage
from provision.environment.lock import Lock, LockedPackage, LockedWheel
from tests.unit.environment.drift_made import BUILT, NUMPY, PYTHON, TORCH, with_pip, without


def told(now: Listing, was: Listing = BUILT) -> list[tuple[str, str, str]]:
    return [(one.kind, one.held.by, one.held.name) for one in compare(held(was), held(now))]


def test_what_is_as_it_was_built_has_not_drifted() -> None:
    assert told(BUILT) == []
    assert damaged(BUILT) == ()


def test_a_package_of_conda_is_told_once_though_python_sees_it_too() -> None:
    assert [one.key for one in held(BUILT)] == [("conda", "numpy"), ("conda", "python"), ("pip", "torch")]


def test_a_manual_pip_install_is_added_by_pip() -> None:
    assert told(with_pip(BUILT, PipPackage("Flash_Attn", "2.6.3", "pip"))) == [("added", "pip", "flash-attn")]


def test_a_manual_install_by_uv_is_one_too() -> None:
    assert told(with_pip(BUILT, PipPackage("einops", "0.8.0", "uv"))) == [("added", "pip", "einops")]


def test_a_pip_install_over_a_package_of_condas_is_added_by_pip_and_condas_record_stays() -> None:
    now = with_pip(BUILT, PipPackage("numpy", "2.1.0", "pip"))
    (change,) = compare(held(BUILT), held(now))
    assert (change.kind, change.held.by, change.held.version) == ("added", "pip", "2.1.0")


@pytest.mark.parametrize("written", ["1.26.4", "1.26.4.0"])
def test_a_package_of_condas_that_says_pip_installed_it_is_condas(written: str) -> None:
    assert told(with_pip(BUILT, PipPackage("numpy", written, "pip"))) == []


def test_another_version_by_pip_is_changed() -> None:
    (change,) = compare(held(BUILT), held(with_pip(BUILT, PipPackage("torch", "2.5.1+cpu", "pip"))))
    assert change.kind == "changed"
    assert change.was is not None
    assert (change.was.shown, change.held.shown) == ("2.4.0+cu124", "2.5.1+cpu")


def test_a_pip_uninstall_is_removed() -> None:
    assert told(replace(BUILT, pip=BUILT.pip[:1])) == [("removed", "pip", "torch")]


def test_a_conda_remove_is_removed_by_conda_alone() -> None:
    assert told(without(BUILT, "numpy")) == [("removed", "conda", "numpy")]


def test_another_build_of_the_same_version_is_changed() -> None:
    now = replace(BUILT, conda=(replace(NUMPY, build="py311_cuda"), PYTHON))
    assert told(now) == [("changed", "conda", "numpy")]


@pytest.mark.parametrize(
    ("was", "now", "changed"), [("b" * 64, "c" * 64, True), ("b" * 64, None, False), (None, "c" * 64, False)]
)
def test_a_checksum_counts_where_both_sides_know_it(was: str | None, now: str | None, changed: bool) -> None:
    before, after = (replace(BUILT, conda=(replace(NUMPY, sha256=one), PYTHON)) for one in (was, now))
    assert bool(told(after, before)) is changed


def test_another_commit_of_a_repository_is_changed_and_another_copy_of_a_wheel_is_not() -> None:
    here = PipPackage("tool", "1.0", "pip", direct_url="https://git.example/tool", commit="abc")
    there = replace(here, commit="def")
    assert told(with_pip(BUILT, there), with_pip(BUILT, here)) == [("changed", "pip", "tool")]
    wheel = PipPackage("tool", "1.0", "pip", direct_url="file:///srv/a/tool.whl")
    copy = replace(wheel, direct_url="file:///srv/b/tool.whl")
    assert told(with_pip(BUILT, copy), with_pip(BUILT, wheel)) == []
    editable = replace(copy, editable=True)
    assert told(with_pip(BUILT, editable), with_pip(BUILT, wheel)) == [("changed", "pip", "tool")]


def test_names_are_the_same_however_they_are_written() -> None:
    was = with_pip(BUILT, PipPackage("Typing.Extensions", "4.12", "pip"))
    now = with_pip(BUILT, PipPackage("typing_extensions", "4.12", "pip"))
    assert told(now, was) == []


def test_a_deleted_file_is_damage_and_no_change() -> None:
    now = replace(BUILT, conda=(replace(NUMPY, missing=2, missing_examples=("lib/a.so", "lib/b.so")), PYTHON))
    assert told(now) == []
    assert damaged(now) == (Damage("numpy", "1.26.4", 2, 40, "lib/a.so"),)


def test_files_that_nobody_had_time_to_look_for_are_not_missing() -> None:
    assert damaged(replace(BUILT, conda=(replace(NUMPY, missing=None), PYTHON))) == ()


def test_files_of_a_package_that_pip_replaced_are_not_missing() -> None:
    now = replace(with_pip(BUILT, PipPackage("numpy", "2.1.0", "pip")), conda=(replace(NUMPY, missing=38), PYTHON))
    assert damaged(now) == ()


def test_a_lock_holds_what_its_build_leaves() -> None:
    locked = LockedPackage(
        "numpy", "1.26.4", "py311_0", "https://conda.anaconda.org/conda-forge", "linux-64", "numpy.conda", "b" * 64
    )
    lock = Lock(
        "x.lock", "", "linux-64", "none", "2.28", "x86_64", (locked,), (LockedWheel("torch", TORCH.version, ()),)
    )
    assert compare(held_by_lock(lock), held(replace(BUILT, conda=(NUMPY,)))) == ()


def test_a_venv_is_compared_by_what_python_sees_and_python_itself() -> None:
    seen = distributions(replace(BUILT, markers={"python_full_version": "3.11.9"}))
    assert [(one.name, one.version) for one in seen] == [
        ("numpy", "1.26.4"),
        ("python", "3.11.9"),
        ("torch", "2.4.0+cu124"),
    ]
    assert [one.name for one in distributions(BUILT)] == ["numpy", "torch"]


def test_an_empty_prefix_has_lost_everything_and_gained_nothing() -> None:
    assert {one.kind for one in compare(held(BUILT), held(Listing()))} == {"removed"}


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "../../etc", "\u202egnp", "$(reboot)", "", "x" * 5000])
def test_a_hostile_name_is_one_package_like_any_other(name: str) -> None:
    now = replace(BUILT, conda=(*BUILT.conda, CondaPackage(name, "1", "0")))
    assert told(now) == [("added", "conda", name.lower())]


NAMES = st.text("ab-_.", min_size=1, max_size=4)
SIDES = st.lists(st.builds(Held, st.sampled_from(["conda", "pip"]), NAMES, st.sampled_from(["1", "2"])), max_size=6)


@given(SIDES, SIDES)
def test_the_difference_turned_round_is_the_same_packages_the_other_way(was: list[Held], now: list[Held]) -> None:
    there, back = compare(was, now), compare(now, was)
    assert [Change(one.now, one.was) for one in there] == list(back)
    assert compare(now, now) == ()
