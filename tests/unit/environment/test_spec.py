"""environment.yml and requirements.txt: what they ask for, in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.environment.spec import EnvironmentSpec, load_spec
from provision.errors import BadFileError

if TYPE_CHECKING:
    from pathlib import Path


def spec(folder: Path, text: str, name: str = "environment.yml", **options: object) -> EnvironmentSpec:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_spec(path, "demo", folder, **options)  # type: ignore[arg-type]


def test_an_exported_file_is_taken_without_its_prefix(tmp_path: Path) -> None:
    found = spec(
        tmp_path,
        "name: train\nchannels:\n  - pytorch\n  - conda-forge\n  - nodefaults\ndependencies:\n"
        "  - python=3.11.9=h955ad1f_0\n  - conda-forge::numpy>=1.26,<2\n  - pip:\n      - torch==2.9.1\n"
        "variables:\n  B: 0\n  A: no\nprefix: /home/me/miniconda3/envs/train\n",
    )
    assert (found.name, found.channels) == ("train", ("pytorch", "conda-forge"))
    assert found.dependencies == ("python=3.11.9=h955ad1f_0", "conda-forge::numpy>=1.26,<2", "pip")
    assert (found.pip, found.pip_text) == (("torch==2.9.1",), "torch==2.9.1\n")
    assert found.variables == (("A", "no"), ("B", "0"))
    assert found.notes == (
        "'prefix: /home/me/miniconda3/envs/train' is ignored: provision chooses the place itself",
        "pip added: the pip lines need it",
    )


@pytest.mark.parametrize("name", ["base", "root"])
def test_the_base_environment_is_never_meant(tmp_path: Path, name: str) -> None:
    found = spec(tmp_path, f"name: {name}\ndependencies: [python]\n")
    assert found.name == "demo"
    assert f"'name: {name}' means conda's own environment: the project's name 'demo' is used" in found.notes


def test_without_channels_defaults_are_meant_and_it_is_said(tmp_path: Path) -> None:
    found = spec(tmp_path, "dependencies: [python]\n")
    assert (found.channels, found.name) == (("defaults",), "demo")
    assert found.notes == ("no channels are named: 'defaults' is used, as conda does",)


def test_a_channel_over_http_is_taken_and_said(tmp_path: Path) -> None:
    found = spec(tmp_path, "channels: ['http://mirror.example/conda/']\ndependencies: [python]\n")
    assert found.channels == ("http://mirror.example/conda",)
    assert "comes over http" in found.notes[0]


def test_included_requirements_stand_in_the_place_of_their_line(tmp_path: Path) -> None:
    (tmp_path / "reqs").mkdir()
    (tmp_path / "reqs" / "base.txt").write_text("# base\nnumpy>=1.26  # fast\n-r more.txt\n", encoding="utf-8")
    (tmp_path / "reqs" / "more.txt").write_text("pandas \\\n  >=2\n-c ../constraints.txt\n", encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("urllib3<2\n", encoding="utf-8")
    found = spec(
        tmp_path, "channels: [conda-forge]\ndependencies:\n  - python\n  - pip\n  - pip: [a, -r reqs/base.txt, b]\n"
    )
    assert [" ".join(line.split()) for line in found.pip] == ["a", "numpy>=1.26", "pandas >=2", "b"]
    assert found.constraints_text == "urllib3<2\n"
    assert found.notes == ()


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("evil\n", encoding="utf-8")
    project = tmp_path / "project"
    project.mkdir()
    (project / "r.txt").symlink_to(outside)
    with pytest.raises(BadFileError, match="lies outside the project"):
        spec(project, "dependencies: [python, {pip: [-r r.txt]}]")


OPTIONS = """
channels: [conda-forge]
dependencies:
  - python
  - pip
  - pip:
      - --index-url http://mirror.example/simple
      - --trusted-host mirror.example
      - -e git+ssh://git@example.com/a/b.git
"""


def test_dangerous_pip_lines_are_taken_where_the_playbook_allows_them(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"allow_pip_options.* \(and 2 more problems\)"):
        spec(tmp_path, OPTIONS)
    found = spec(tmp_path, OPTIONS, allow_pip_options=True)
    assert found.pip == (
        "--index-url http://mirror.example/simple",
        "--trusted-host mirror.example",
        "--editable git+ssh://git@example.com/a/b.git",
    )
    assert all(note.endswith("(allowed by the playbook)") for note in found.notes)


@pytest.mark.parametrize(
    "line",
    [
        "torch",
        "requests[socks,security]>=2.31,!=2.32.*,<3 ; python_version >= '3.9'",
        "torch @ https://download.pytorch.org/whl/torch-2.9.1-cp311-cp311-linux_x86_64.whl",
        "git+https://github.com/a/b.git@v1.0#egg=b",
        "numpy==1.26.4 --hash=sha256:" + "a" * 64,
        "--extra-index-url=https://download.pytorch.org/whl/cu128",
        "-f https://data.pyg.org/whl/torch-2.9.0+cu128.html",
        "--pre",
        "--no-binary :all:",
        "zope.interface~=6.0",
        "flash-attn===2.8.3+cu12",
    ],
)
def test_ordinary_pip_lines_are_taken(tmp_path: Path, line: str) -> None:
    assert len(spec(tmp_path, f"torch\n{line}\n", "requirements.txt").pip) == 2


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        (".python-version", "3.10.14\n", "3.10"),
        (".python-version", "# comment\n3.12\n", "3.12"),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.9,<3.13"\n', "3.9"),
        ("pyproject.toml", "[project]\nrequires-python='~=3.11'\n", "3.11"),
    ],
)
def test_requirements_alone_take_python_from_the_project(tmp_path: Path, file: str, text: str, version: str) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    found = spec(tmp_path, "torch\n", "requirements.txt")
    assert (found.channels, found.dependencies) == (("conda-forge",), (f"python={version}", "pip"))
    assert file in found.notes[0]
    assert spec(tmp_path, "torch\n", "requirements.txt", python="3.13").dependencies[0] == "python=3.13"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"environment\.yml: no such file") as refused:
        load_spec(tmp_path / "environment.yml", "demo", tmp_path)
    assert "provision init" in (refused.value.hint or "")


def test_half_a_million_dependencies_are_refused_quickly(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="larger than 1 MiB"):
        spec(tmp_path, "dependencies:\n" + "- a\n" * 500_000)
    with pytest.raises(BadFileError, match="more than 10,000 pip lines"):
        spec(tmp_path, "a\n" * 10_001, "requirements.txt")
