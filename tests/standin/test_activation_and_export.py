"""Activation by name, running with variables, and the forms of export with what each loses."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.standin.conftest import Conda, Result

if TYPE_CHECKING:
    from pathlib import Path

    from provision.demo.standin.channel import Channel

FILE = "dependencies: [python, pip, standin-alpha=1.0, {pip: [standin-wheel<2]}]\nvariables: {COLOUR: blue}\n"


@pytest.fixture(scope="module")
def full(roots: dict[str, Path], warm: Path, channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a pip section and variables, only read by the tests."""
    home = tmp_path_factory.mktemp("full")
    conda = Conda(roots["26.7.1"], home, warm)
    file, index = conda.file(FILE), channel.simple.as_uri()
    assert conda.run("env", "create", "-f", file, "-p", home / "env", PIP_INDEX_URL=index).status == 0
    return home / "env"


def shell(conda: Conda, text: str) -> Result:
    script = f". {conda.root}/etc/profile.d/conda.sh; {text}"
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=conda.environment(),
        cwd=conda.home,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def link(conda: Conda, name: str, target: Path) -> None:
    (conda.home / ".conda/envs").mkdir(parents=True, exist_ok=True)
    (conda.home / ".conda/envs" / name).symlink_to(target)


def test_a_link_in_the_users_envs_folder_activates_by_name_and_stays_the_prefix(conda: Conda, full: Path) -> None:
    link(conda, "train", full)
    said = shell(conda, "conda activate train && python -c 'import sys; print(sys.prefix)' && echo $COLOUR")
    assert said.out == f"{conda.home}/.conda/envs/train\nblue\n"


def test_bases_own_environment_of_the_same_name_shadows_it(conda: Conda, full: Path) -> None:
    link(conda, "shadowed", full)
    (conda.root / "envs/shadowed/bin").mkdir(parents=True, exist_ok=True)
    said = shell(conda, "conda activate shadowed && echo $CONDA_PREFIX")
    assert said.out == f"{conda.root}/envs/shadowed\n"


def test_an_envs_folder_of_ours_activates_without_a_python(conda: Conda, full: Path, tmp_path: Path) -> None:
    (tmp_path / "envs/train").mkdir(parents=True)
    (tmp_path / "envs/train/1-abc").symlink_to(full)
    (conda.home / ".condarc").write_text(f"envs_dirs: ['{tmp_path}/envs']\n")
    said = shell(conda, f"conda activate train && echo active; test -e {tmp_path}/envs/train/bin/python || echo none")
    assert said.out == "active\nnone\n"


def test_an_unknown_name_fails(conda: Conda) -> None:
    done = shell(conda, "conda activate nothing")
    assert done.status == 1
    assert "EnvironmentNameNotFound" in done.err


def test_deactivating_goes_back(conda: Conda, full: Path) -> None:
    said = shell(conda, f'before=$PATH; conda activate {full}; conda deactivate; [ "$PATH" = "$before" ] && echo same')
    assert said.out == "same\n"


def test_run_sets_the_variables_that_a_direct_python_does_not_see(conda: Conda, full: Path) -> None:
    code = "import os; print(os.environ.get('COLOUR'))"
    assert conda.run("run", "-p", full, "python", "-c", code).out == "blue\n"
    direct = subprocess.run([full / "bin/python", "-c", code], capture_output=True, text=True, check=True, env={})
    assert direct.stdout == "None\n"
    assert conda.run("run", "-p", full, "sh", "-c", "exit 7").status == 7


def test_export_keeps_builds_pip_variables_and_prefix(conda: Conda, full: Path) -> None:
    document = yaml.safe_load(conda.run("env", "export", "-p", full).out)
    assert "standin-alpha=1.0=pyh_0" in document["dependencies"]
    assert document["dependencies"][-1] == {"pip": ["standin-wheel==1.1"]}
    assert (document["variables"], document["prefix"]) == ({"COLOUR": "blue"}, str(full))


def test_export_from_history_loses_pip_and_resets_channels(conda: Conda, full: Path) -> None:
    document = yaml.safe_load(conda.run("env", "export", "--from-history", "-p", full).out)
    assert document["dependencies"] == ["python", "pip", "standin-alpha=1.0"]
    assert document["channels"] == ["defaults"]


def test_an_explicit_list_silently_omits_pip_packages(conda: Conda, full: Path, tmp_path: Path) -> None:
    listed = conda.run("list", "--explicit", "-p", full).out
    assert "standin-wheel" not in listed
    again = conda.file(listed, "explicit.txt")
    assert conda.run("create", "-y", "-p", tmp_path / "copy", "--file", again).status == 0
    names = [package["name"] for package in conda.run("list", "-p", tmp_path / "copy", "--json").document]
    assert names == ["pip", "python", "standin-alpha"]


def test_exporting_the_explicit_format_refuses_pip_packages(conda: Conda, full: Path) -> None:
    assert conda.run("export", "--format", "explicit", "-p", full).status == 1
