from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.demo.limits import has_gpu, reason

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("system", "machine", "libc", "word"),
    [
        ("darwin", "arm64", None, "this Mac"),
        ("freebsd14", "amd64", None, "freebsd14"),
        ("linux", "x86_64", None, "GNU C library"),
        ("linux", "riscv64", "glibc 2.39", "riscv64"),
    ],
)
def test_where_miniconda_cannot_run_the_reason_is_said(system: str, machine: str, libc: str | None, word: str) -> None:
    said = reason(system, machine, libc)
    assert said is not None
    assert word in said


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_linux_with_glibc_plays_it_all(machine: str) -> None:
    assert reason("linux", machine, "glibc 2.36") is None


@pytest.mark.parametrize(("script", "answer"), [("echo 'GPU 0: NVIDIA A10'", True), ("echo failed; exit 9", False)])
def test_a_gpu_counts_when_it_answers(
    script: str, answer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert has_gpu() is answer


def test_a_machine_without_nvidia_smi_has_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_gpu()
