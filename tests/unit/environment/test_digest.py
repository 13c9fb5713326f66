"""The digest covers what an environment is made from, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.digest import digest
from provision.environment.spec import EnvironmentSpec, load_spec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = EnvironmentSpec(
    name="demo",
    channels=("pytorch", "conda-forge"),
    dependencies=("python=3.11", "numpy"),
    pip=("torch", "--pre"),
    constraints=("urllib3<2",),
    variables=(("A", "1"),),
)


def of(spec: EnvironmentSpec, platform: str = "linux-64", variant: str | None = None, *, cuda: bool = True) -> str:
    return digest(spec, platform, variant, cuda=cuda)


def test_it_is_a_sha256_that_stays_the_same_from_release_to_release() -> None:
    assert of(SPEC) == "139afa9cdd8944113dd0f8ed9f5696c1a8e03ef0630e49d62b55600a3bde8ef9"


@pytest.mark.parametrize(
    "change",
    [
        {"channels": ("conda-forge", "pytorch")},
        {"dependencies": ("python=3.12", "numpy")},
        {"pip": ("--pre", "torch")},
        {"constraints": ()},
        {"variables": (("A", "2"),)},
    ],
)
def test_what_changes_the_packages_changes_it(change: dict[str, tuple[str, ...]]) -> None:
    assert of(dataclasses.replace(SPEC, **change)) != of(SPEC)  # type: ignore[arg-type]


def test_platform_variant_and_cuda_change_it() -> None:
    others = [of(SPEC, "linux-aarch64"), of(SPEC, variant="gpu"), of(SPEC, cuda=False)]
    assert len({of(SPEC), *others}) == 4


@given(st.permutations(SPEC.dependencies))
def test_the_order_of_dependencies_does_not(dependencies: list[str]) -> None:
    assert of(dataclasses.replace(SPEC, dependencies=tuple(dependencies), notes=("x",), source="y", name="z")) == of(
        SPEC
    )


def test_comments_and_layout_do_not_change_it(tmp_path: Path) -> None:
    digests = set()
    short = "dependencies: [python=3.11, 'numpy >=1']\nchannels: [conda-forge]\n"
    head = "# ours\nname: other\nchannels:\n  - conda-forge   # best\n"
    for text in (short, f"{head}dependencies:\n  - numpy   >=1\n  - python=3.11\nprefix: /x\n"):
        path = tmp_path / "environment.yml"
        path.write_text(text, encoding="utf-8")
        digests.add(of(load_spec(path, "demo", tmp_path)))
    assert len(digests) == 1


def test_an_included_file_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text("dependencies: [python, pip, {pip: [-r r.txt]}]\n", encoding="utf-8")
    digests = set()
    for text in ("torch\n", "torch\nnumpy\n", "# comment\ntorch\n"):
        (tmp_path / "r.txt").write_text(text, encoding="utf-8")
        digests.add(of(load_spec(path, "demo", tmp_path)))
    assert len(digests) == 2
