"""A lock of what a host has: all of it by checksum, or none and why."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.listing import CondaPackage, Listing, PipPackage
from provision.environment.lock import Lock, parse_lock, render
from provision.environment.lock_taken import Archives, Machine, UnknownError, parse_archives, taken
from provision.model.host import Mirror

FORGE = "https://conda.anaconda.org/conda-forge"
TUNA = "https://mirrors.example/anaconda/cloud/conda-forge"
PYTHON = CondaPackage("python", "3.11.9", "h1_0", url=f"{FORGE}/linux-64/python-3.11.9-h1_0.conda", sha256="a" * 64)
NUMPY = CondaPackage("numpy", "1.26.4", "py311_0", url=f"{FORGE}/linux-64/numpy-1.26.4-py311_0.conda", sha256="b" * 64)
SHOWN, NO_CHANNEL = "numpy 1.26.4 py311_0", "which is no channel of the environment file"
TORCH = PipPackage("torch", "2.4.0+cu124", "pip")
KNOWN = Archives({"numpy": ("python",)}, 7_000_000, {("torch", "2.4.0+cu124"): ("c" * 64, "", 800)})
LISTING = Listing((NUMPY, PYTHON), (TORCH,))


def lock(listing: Listing = LISTING, known: Archives = KNOWN, **changes: Any) -> Lock:
    asked: dict[str, Any] = {
        "channels": ("conda-forge",),
        "mirrors": (Mirror("tuna", channels=(("conda-forge", TUNA),)),),
        "pip": ("--extra-index-url https://download.pytorch.org/whl/cu124", "torch"),
        "machine": Machine("linux-64", "12.4", "2.35"),
        "asked": "d" * 64,
        "source": "environment.linux-64-cuda12.lock",
    }
    return taken(listing, known, **{**asked, **changes})


def problems(listing: Listing, known: Archives = KNOWN) -> tuple[str, ...]:
    with pytest.raises(UnknownError) as caught:
        lock(listing, known)
    return caught.value.problems


def test_what_is_installed_is_locked_each_after_what_it_needs() -> None:
    made = lock()
    assert [one.url for one in made.conda] == [PYTHON.url, NUMPY.url]
    assert [one.line for one in made.pip] == [f"torch==2.4.0+cu124 --hash=sha256:{'c' * 64}"]
    assert made.pip_options == ("--extra-index-url https://download.pytorch.org/whl/cu124",)
    assert (made.platform, made.cuda, made.glibc, made.archspec, made.size) == (
        "linux-64",
        "12.4",
        "2.35",
        "x86_64",
        7_000_000,
    )


def test_what_is_written_of_it_is_read_as_it_was() -> None:
    made = lock()
    assert parse_lock(*render(made, "environment.linux-64-cuda12"), made.source).content == made.content


def test_a_mirror_or_a_folder_of_the_host_is_never_written_down() -> None:
    by_mirror = replace(NUMPY, url=f"{TUNA}/linux-64/numpy-1.26.4-py311_0.conda")
    by_folder = replace(
        PYTHON, url="file:///home/ubuntu/.provision/cache/channels/conda-forge/linux-64/python-3.11.9-h1_0.conda"
    )
    assert lock(Listing((by_mirror, by_folder), (TORCH,))).content == lock().content
    assert {one.channel for one in lock(Listing((by_mirror, by_folder), (TORCH,))).conda} == {FORGE}


def test_a_channel_with_a_port_is_found_by_its_folder_however_conda_quotes_that() -> None:
    url = "file:///home/u/.provision/cache/channels/https/conda.example%253a8443/own/noarch/a-1.0-0.conda"
    package = CondaPackage("a", "1.0", "0", url=url, sha256="e" * 64)
    made = lock(Listing((package,)), channels=("https://conda.example:8443/own",))
    assert made.conda[0].url == "https://conda.example:8443/own/noarch/a-1.0-0.conda"


def test_packages_that_need_each_other_are_in_some_order_once() -> None:
    known = replace(KNOWN, needs={"numpy": ("python", "gone"), "python": ("numpy",)})
    assert sorted(one.name for one in lock(known=known).conda) == ["numpy", "python"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), max_size=4), max_size=6))
def test_every_package_is_there_once_and_after_what_it_needs_unless_that_needs_it(needs: dict[str, list[str]]) -> None:
    packages = tuple(
        CondaPackage(one, "1", "0", url=f"{FORGE}/noarch/{one}-1-0.conda", sha256="a" * 64) for one in "abcdef"
    )
    told = Archives({name: tuple(found) for name, found in needs.items()}, 0, {})
    order = [one.name for one in lock(Listing(packages), told).conda]
    assert sorted(order) == list("abcdef")

    def reaches(start: str, end: str, seen: frozenset[str] = frozenset()) -> bool:
        return any(one == end or (one not in seen and reaches(one, end, seen | {one})) for one in needs.get(start, ()))

    for name, found in needs.items():
        for one in set(found) & set(order) - {name}:
            assert order.index(one) < order.index(name) or reaches(one, name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sha256": None}, "numpy 1.26.4 py311_0: conda noted no sha256 of its archive"),
        ({"sha256": "B" * 64}, "numpy 1.26.4 py311_0: conda noted no sha256 of its archive"),
        (
            {"url": "https://x.io/noarch/numpy-1.conda"},
            f"{SHOWN} came from https://x.io/noarch/numpy-1.conda, {NO_CHANNEL}",
        ),
        (
            {"url": None},
            f"{SHOWN} does not say where it came from: it is no channel of the environment file",
        ),
    ],
)
def test_a_package_that_nobody_else_could_get_is_named(change: dict[str, Any], says: str) -> None:
    assert problems(replace(LISTING, conda=(replace(NUMPY, **change), PYTHON))) == (says,)


@pytest.mark.parametrize(
    ("package", "known", "says"),
    [
        (TORCH, (), "its checksum is not known there any more: pip did not note it, nor is it in its cache"),
        (replace(TORCH, commit="abc"), ("c" * 64, "", 0), "it is no release but a folder or a repository"),
        (replace(TORCH, editable=True), ("c" * 64, "", 0), "it is no release but a folder or a repository"),
        (TORCH, ("c" * 64, "file:///srv/torch.whl", 0), "it came from file:///srv/torch.whl, which other hosts"),
        (TORCH, ("c" * 64, "https://me:****@x.example/torch.whl", 0), "an address with a login"),
    ],
)
def test_a_wheel_that_no_lock_can_hold_is_named(package: PipPackage, known: Any, says: str) -> None:
    wheels = {("torch", "2.4.0+cu124"): known} if known else {}
    (said,) = problems(replace(LISTING, pip=(package,)), replace(KNOWN, wheels=wheels))
    assert said.startswith("torch 2.4.0+cu124 (pip): ")
    assert says in said


def test_a_wheel_that_was_installed_by_its_address_is_locked_by_it() -> None:
    url = "https://x.example/torch-2.4.0-cp311-cp311-linux_x86_64.whl"
    known = replace(KNOWN, wheels={("torch", "2.4.0+cu124"): ("c" * 64, url, 0)})
    assert lock(known=known).pip[0].pin == f"torch @ {url}"


def test_all_that_is_not_known_is_told_at_once() -> None:
    said = problems(Listing((replace(NUMPY, sha256=None), PYTHON), (TORCH,)), replace(KNOWN, wheels={}))
    assert [one.partition(" ")[0] for one in said] == ["numpy", "torch"]


def test_what_conda_brought_is_not_pips_and_needs_no_checksum_of_pip() -> None:
    brought = replace(NUMPY, distributions=("numpy",))
    made = lock(Listing((brought, PYTHON), (PipPackage("numpy", "1.26.4", "conda"),)))
    assert (made.pip, made.pip_options) == ((), ())


@pytest.mark.parametrize("name", ["a b", "x\n@EXPLICIT", "../up", "a#b", ""])
def test_a_hostile_name_is_never_written(name: str) -> None:
    package = CondaPackage(name, "1", "0", url=f"{FORGE}/noarch/{name}-1-0.conda", sha256="a" * 64)
    with pytest.raises(UnknownError):
        lock(Listing((package,)))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format":2}',
        b'{"format":1,"conda":[],"pip":{}}',
        b'{"format":1,"conda":{"a":{"needs":[],"size":"x"}},"pip":{}}',
        b'{"format":1,"conda":{},"pip":{"a-1.dist-info":{}}}',
        b'{"format":1,"conda":{},"pip":{"a-1.dist-info":{"sha256":5}}}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_none_of_ours_is_refused(said: bytes) -> None:
    with pytest.raises(ValueError, match="not understood"):
        parse_archives(said)


def test_a_checksum_that_is_none_is_not_known() -> None:
    told = {
        "format": 1,
        "conda": {},
        "pip": {"A_b-1.0.dist-info": {"sha256": "x"}, "c-1.dist-info": {"sha256": "a" * 64}},
    }
    assert list(parse_archives(json.dumps(told).encode()).wheels) == [("c", "1")]
