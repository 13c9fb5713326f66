"""Playbooks: found, decoded, and shipped as documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from provision.decode.convert import fields_of
from provision.errors import UsageError
from provision.playbook.files import find_playbook, load_playbook, parse_playbook, shipped_folder
from provision.playbook.options import (
    TASKS,
    CommandOptions,
    EnvironmentOptions,
    FileOptions,
    FilesOptions,
    GpuOptions,
    MinicondaOptions,
    PackagesOptions,
)

if TYPE_CHECKING:
    from pathlib import Path

ALL = """
name: all
tasks:
  - packages: {names: [git], apt: [libgl1, g++], dnf: [mesa-libGL], yum: [mesa]}
  - miniconda: {prefix: /opt/conda/, version: py313_26.3.2-2, sha256: %s, accept_tos: true, minimum: 24.11}
  - environment: {file: {gpu: env.gpu.yml, cpu: env.cpu.yml}, name: train, python: 3.11, allow_pip_options: true}
  - gpu
  - files: [{path: ~/a.txt, content: "hi\\n", mode: 600}, {path: /data/b, source: configs/b}]
  - command: {run: make data, name: data, unless: test -d data, creates: ~/data, cwd: ~/work/}
""" % ("aB" * 32)


def test_every_task_with_every_option_is_decoded() -> None:
    playbook = parse_playbook(ALL)
    assert [one.options for one in playbook.tasks] == [
        PackagesOptions(names=("git",), apt=("libgl1", "g++"), dnf=("mesa-libGL",), yum=("mesa",)),
        MinicondaOptions("/opt/conda", "py313_26.3.2-2", sha256="ab" * 32, accept_tos=True, minimum="24.11"),
        EnvironmentOptions({"gpu": "env.gpu.yml", "cpu": "env.cpu.yml"}, "train", "3.11", allow_pip_options=True),
        GpuOptions(),
        FilesOptions((FileOptions("~/a.txt", "hi\n", mode="0600"), FileOptions("/data/b", source="configs/b"))),
        CommandOptions("make data", "data", "test -d data", "~/data", "~/work"),
    ]
    assert [one.kind for one in playbook.tasks] == list(TASKS)
    assert playbook.tasks[3].line == 7


def test_the_test_above_leaves_no_option_out() -> None:
    keys = {key for kind in (*TASKS.values(), FileOptions) for key in fields_of(kind)} - {"files", "installer"}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}:", ALL)] == []


@pytest.mark.parametrize("name", ["gpu", "cpu"])
def test_the_shipped_playbooks_load_and_show_every_option_of_theirs(name: str) -> None:
    playbook = load_playbook(name, None)
    assert (playbook.name, playbook.shown) == (name, f"{name} (shipped)")
    assert [one.kind for one in playbook.tasks] == ["miniconda", "environment", "gpu"][: 3 if name == "gpu" else 2]
    assert all(one.options == TASKS[one.kind]() for one in playbook.tasks if one.kind != "command")  # type: ignore[call-arg]


SHIPPED = "".join(one.read_text(encoding="utf-8") for one in sorted(shipped_folder().glob("*.yaml")))


def test_the_shipped_playbooks_mention_every_task_and_option_between_them() -> None:
    keys = {*TASKS, *(key for kind in (*TASKS.values(), FileOptions) for key in fields_of(kind))}
    assert len(keys) > 25
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}:", SHIPPED)] == []


def test_what_the_shipped_playbooks_show_in_comments_is_taken_too() -> None:
    shown = SHIPPED.partition("a playbook may have:\n")[2].partition("# What a GPU")[0]
    playbook = parse_playbook("tasks:\n" + re.sub(r"^# ?", "  ", shown, flags=re.MULTILINE))
    assert [one.kind for one in playbook.tasks] == ["packages", "files", "command"]
    environment = re.findall(r"^  #   (\w+: .+?) +#", SHIPPED, flags=re.MULTILINE)
    text = "tasks:\n  - environment:\n" + "".join(f"      {one}\n" for one in environment)
    assert parse_playbook(text).tasks[0].options == EnvironmentOptions(
        {"gpu": "environment.gpu.yml", "cpu": "environment.cpu.yml"}, "train", "3.11", allow_pip_options=True
    )


def test_the_projects_playbook_wins_over_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "playbooks" / "gpu.yml"
    own.parent.mkdir()
    own.write_text("tasks: [gpu]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    playbook = load_playbook("gpu", tmp_path)
    assert (playbook.origin, playbook.shown, len(playbook.tasks)) == ("project", "gpu (playbooks/gpu.yml)", 1)
    assert find_playbook("cpu", tmp_path)[1] == "shipped"
    assert load_playbook("playbooks/gpu.yml", None).origin == "path"
    assert load_playbook("gpu.yml", None, own.parent).name == "gpu"


def test_an_unknown_playbook_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^'gpuu' is no playbook, did you mean 'gpu'\?$"):
        load_playbook("gpuu", tmp_path)
    with pytest.raises(UsageError, match=r"^'zzz' is no playbook, expected a path or one of cpu, gpu$"):
        load_playbook("zzz", None)
    with pytest.raises(UsageError, match=r"^\./x\.yaml: no such playbook$"):
        load_playbook("./x.yaml", None)
