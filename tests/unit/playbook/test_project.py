"""The project: where it begins, what it is called, which environments it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.errors import UsageError
from provision.project import find_root, load_project

if TYPE_CHECKING:
    from pathlib import Path


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_root_is_gits_before_any_other(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    put(root / "sub" / "environment.yml")
    assert find_root(root / "sub") == root


def test_without_git_the_root_is_the_nearest_folder_with_a_projects_files(tmp_path: Path) -> None:
    put(tmp_path / "requirements.txt")
    put(tmp_path / "inner" / "pyproject.toml")
    (tmp_path / "inner" / "deep").mkdir()
    assert find_root(tmp_path / "inner" / "deep") == tmp_path / "inner"


def test_a_provision_yaml_inside_a_repository_makes_a_project_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    put(tmp_path / "one" / "provision.yaml", "project: one")
    put(tmp_path / "one" / "src" / "pyproject.toml")
    assert find_root(tmp_path / "one" / "src") == tmp_path / "one"
    assert find_root(tmp_path / "two") == tmp_path


def test_a_worktree_whose_git_is_a_file_is_a_root_too(tmp_path: Path) -> None:
    put(tmp_path / "tree" / ".git", "gitdir: /elsewhere")
    assert find_root(tmp_path / "tree") == tmp_path / "tree"


def test_everything_in_provision_yaml_is_taken(tmp_path: Path) -> None:
    for name in ("gpu.yml", "cpu.yml", "eval.yml"):
        put(tmp_path / name, "dependencies: [python]")
    put(
        tmp_path / "provision.yaml",
        "project: mymodel\ndefault: gpu-box\n"
        "environments: {train: {gpu: gpu.yml, cpu: cpu.yml}, eval: eval.yml}\n"
        "include: [configs/local.yaml]\npersist: [data/, checkpoints/]\nsecrets: [HF_TOKEN, WANDB_API_KEY]\n",
    )
    project = load_project(tmp_path)
    assert (project.name, project.default, project.root) == ("mymodel", "gpu-box", tmp_path)
    assert (project.include, project.persist) == (("configs/local.yaml",), ("data/", "checkpoints/"))
    assert project.secrets == ("HF_TOKEN", "WANDB_API_KEY")
    assert project.environment().variant(gpu=False) == ("cpu", tmp_path / "cpu.yml")
    assert project.environment("eval").variant(gpu=True) == (None, tmp_path / "eval.yml")
    with pytest.raises(UsageError, match="no environment 'evl', did you mean 'eval'"):
        project.environment("evl")


def test_a_variant_without_a_file_says_what_to_add(tmp_path: Path) -> None:
    put(tmp_path / "gpu.yml", "dependencies: [python]")
    put(tmp_path / "provision.yaml", "environment: {gpu: gpu.yml}\n")
    with pytest.raises(UsageError, match="has a file for gpu only") as refused:
        load_project(tmp_path).environment().variant(gpu=False)
    assert "cpu: FILE" in (refused.value.hint or "")


def test_environment_yml_is_preferred_to_requirements(tmp_path: Path) -> None:
    put(tmp_path / "requirements.txt", "torch")
    assert load_project(tmp_path).environment().files == ((None, tmp_path / "requirements.txt"),)
    put(tmp_path / "environment.yml", "dependencies: [python]")
    assert load_project(tmp_path).environment().files == ((None, tmp_path / "environment.yml"),)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("my-model_2.0", "my-model_2.0"), ("My Model!", "My-Model"), ("-x", "x"), ("模型", "project"), ("模型 v2", "v2")],
)
def test_a_folders_name_becomes_a_projects_name(tmp_path: Path, folder: str, name: str) -> None:
    put(tmp_path / folder / "pyproject.toml")
    project = load_project(tmp_path / folder)
    assert project.name == name
    assert bool(project.notes) == (name != folder)


def test_a_project_without_an_environment_file_says_so(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml")
    with pytest.raises(UsageError, match=r"expected environment\.yml or environment\.yaml or requirements\.txt"):
        load_project(tmp_path).environment()
