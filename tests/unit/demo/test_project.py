from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from provision.demo.project import PLAYBOOK, StandIn, shipped, write
from provision.environment.spec import load_spec
from provision.playbook.files import load_playbook
from provision.playbook.options import EnvironmentOptions, MinicondaOptions

EXAMPLE = Path(__file__).parents[3] / "examples/tiny-train"
PAIRS = {name: name for name in ("README.md", "environment.yml", "requirements.txt")} | {"train.py": "train.py.txt"}


def standin(tmp_path: Path, *, numpy: bool = True) -> StandIn:
    return StandIn(tmp_path / "installer.sh", "ab" * 32, "http://127.0.0.1:8000", numpy)


@pytest.mark.parametrize("name", PAIRS)
def test_the_example_is_what_the_demo_ships(name: str) -> None:
    assert (EXAMPLE / name).read_text() == shipped(PAIRS[name])


def test_the_example_has_no_other_files() -> None:
    assert {one.name for one in EXAMPLE.iterdir() if one.name != "model.npz"} == set(PAIRS)


def test_with_the_real_miniconda_the_project_is_the_example(tmp_path: Path) -> None:
    notes = write(tmp_path / "p", None, gpu=True)
    assert (tmp_path / "p/environment.yml").read_text() == shipped("environment.yml")
    assert notes == ()


def test_the_stand_ins_channel_and_index_take_the_place_of_the_real_ones_and_it_is_said(tmp_path: Path) -> None:
    notes = write(tmp_path / "p", standin(tmp_path), gpu=False)
    spec = load_spec(tmp_path / "p/environment.yml", "tiny-train", tmp_path / "p", allow_pip_options=True)
    assert spec.channels == ("http://127.0.0.1:8000/channel",)
    assert spec.name == "tiny-train"
    assert any(one.startswith("numpy") for one in spec.dependencies)
    assert "--index-url http://127.0.0.1:8000/simple" in spec.pip
    assert [note.split(":")[0] for note in notes] == ["environment.yml", "environment.yml", "playbooks/demo.yaml"]


def test_the_playbook_installs_the_stand_in_by_the_way_that_users_take(tmp_path: Path) -> None:
    write(tmp_path / "p", standin(tmp_path), gpu=True)
    playbook = load_playbook(PLAYBOOK, tmp_path / "p")
    assert [one.kind for one in playbook.tasks] == ["miniconda", "environment", "files", "gpu"]
    miniconda, environment = (one.options for one in playbook.tasks[:2])
    assert isinstance(miniconda, MinicondaOptions)
    assert (miniconda.installer, miniconda.sha256) == (str(tmp_path / "installer.sh"), "ab" * 32)
    assert isinstance(environment, EnvironmentOptions)
    assert environment.allow_pip_options


def test_without_a_gpu_none_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "p", standin(tmp_path), gpu=False)
    tasks = load_playbook(PLAYBOOK, tmp_path / "p").tasks
    assert "gpu" not in [one.kind for one in tasks]


def test_without_numpy_the_project_needs_none_and_still_trains(tmp_path: Path) -> None:
    notes = write(tmp_path / "p", standin(tmp_path, numpy=False), gpu=False)
    assert "numpy" not in str(yaml.safe_load((tmp_path / "p/environment.yml").read_text()))
    assert any("no numpy" in note for note in notes)
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "p/train.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trained in" in done.stdout
