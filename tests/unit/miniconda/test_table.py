"""The table of installers: well-formed rows, and which one a version means."""

from __future__ import annotations

import re

import pytest

from provision.miniconda.table import ARCHITECTURES, MINIFORGE, Installer, find, newest, rows


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.file_name)
def test_every_row_has_a_checksum_and_the_place_it_was_read_from(row: Installer) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", row.sha256 or "")
    assert row.architecture in ARCHITECTURES
    assert re.fullmatch(r"github\.com/[\w.-]+/[\w.-]+ \S+ @ [0-9a-f]{40}", row.source)
    assert row.source.split("/")[-1].split(" ")[0].endswith(row.version.rpartition("_")[2])
    assert row.source not in row.also
    assert row.glibc in {"2.17", "2.28"}
    assert row.url.startswith("https://")
    assert row.url.endswith("/" + row.file_name)


def test_no_checksum_and_no_file_stands_twice() -> None:
    assert len({row.sha256 for row in rows()}) == len(rows())
    assert len({row.file_name for row in rows()}) == len(rows())


def test_every_version_is_there_for_both_architectures() -> None:
    pairs = {(row.product, row.version, row.architecture) for row in rows()}
    assert all((product, version, one) in pairs for product, version, _ in pairs for one in ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_newest_is_the_highest_version_with_the_preferred_python(architecture: str) -> None:
    assert newest(architecture).file_name == f"Miniconda3-py313_26.7.1-1-Linux-{architecture}.sh"
    assert newest(architecture, MINIFORGE).file_name == f"Miniforge3-26.3.2-2-Linux-{architecture}.sh"


def test_an_architecture_without_installers_is_said() -> None:
    with pytest.raises(ValueError, match="riscv64"):
        newest("riscv64")
    assert find("26.7.1", "riscv64") is None


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("py312_26.7.1-1", "py312_26.7.1-1"),
        ("26.7.1", "py313_26.7.1-1"),
        ("26.7.1-1", "py313_26.7.1-1"),
        ("py312_26.5.3", "py312_26.5.3-2"),
        ("Miniconda3-py312_26.5.3-2", "py312_26.5.3-2"),
        ("Miniforge3-26.3.2-2", "26.3.2-2"),
        ("Miniforge3-26.3.2", "26.3.2-2"),
    ],
)
def test_a_version_finds_its_row(asked: str, version: str) -> None:
    found = find(asked, "x86_64")
    assert found is not None
    assert found.version == version
    assert found.sha256 is not None


def test_a_full_version_without_a_row_has_no_checksum() -> None:
    found = find("py313_99.1.0-1", "aarch64")
    assert found == Installer(
        file_name="Miniconda3-py313_99.1.0-1-Linux-aarch64.sh",
        version="py313_99.1.0-1",
        architecture="aarch64",
        sha256=None,
        source="",
        url="https://repo.anaconda.com/miniconda/Miniconda3-py313_99.1.0-1-Linux-aarch64.sh",
    )


@pytest.mark.parametrize(
    "asked", ["99.1.0", "py313_99.1.0", "latest", "", "26.7.1; rm", "../26.7.1-1", "Miniforge3-py313_1.2-1"]
)
def test_what_cannot_name_a_file_finds_nothing(asked: str) -> None:
    assert find(asked, "x86_64") is None
