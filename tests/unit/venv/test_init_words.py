"""`provision init --venv`, `--from` and `--to-requirements`: what they make, and what they never touch."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from provision.environment.spec import load_spec
from tests.unit.venv.made import make_venv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.typed import Desk

WHEEL_OF = """\
import sys, zipfile
name, folder = sys.argv[1:]
info = f"{name}-1.0.dist-info"
with zipfile.ZipFile(f"{folder}/{name}-1.0-py3-none-any.whl", "w") as made:
    made.writestr(f"{name}.py", "")
    made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
    made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    made.writestr(f"{info}/RECORD", f"{name}.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")
"""


@pytest.fixture
def links(tmp_path: Path, desk: Desk) -> Path:
    """A folder with wheels, which is all that pip of the desk knows."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("standin_one", "standin_two"):
        subprocess.run([sys.executable, "-I", "-c", WHEEL_OF, name, str(folder)], check=True)
    desk.env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}
    return folder


def installed(venv: Path) -> set[str]:
    """Return the distributions in a venv."""
    return {one.name.partition("-")[0] for one in venv.glob("lib/python3*/site-packages/*.dist-info")}


def tree(folder: Path) -> dict[str, str]:
    """Return every file of a project with its content."""
    return {str(one): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file() and not one.is_symlink()}


def test_a_venv_is_made_with_what_requirements_txt_asks_for(desk: Desk, links: Path) -> None:
    (desk.project / "requirements.txt").write_text("standin-one\n")
    answer = desk.type("init", "--venv")
    assert answer.code == 0, answer
    assert installed(desk.project / ".venv") >= {"standin_one", "pip"}
    assert "Successfully installed" in answer.out
    assert (desk.project / ".venv" / ".gitignore").read_text().strip().endswith("*")
    assert not (desk.project / "hosts.yaml").exists()

    (desk.project / "requirements.txt").write_text("standin-one\nstandin-two\n")
    again = desk.type("init", "--venv")
    assert again.code == 0, again
    assert ".venv is there already, with Python" in again.out
    assert "standin_two" in installed(desk.project / ".venv")
    assert desk.type("doctor", "--no-host").code == 0
    assert links.is_dir()


def test_what_pip_cannot_install_ends_with_4_and_the_venv_stays(desk: Desk, links: Path) -> None:
    (desk.project / "requirements.txt").write_text("standin-one\nno-such-thing-here\n")
    answer = desk.type("init", "--venv")
    assert answer.code == 4, answer
    assert "pip could not install requirements.txt" in answer.err
    assert (desk.project / ".venv" / "pyvenv.cfg").exists()
    assert links.is_dir()


def test_modules_of_the_project_do_not_stand_in_for_those_of_python(desk: Desk, links: Path) -> None:
    for name in ("venv.py", "pip.py", "ensurepip.py"):
        (desk.project / name).write_text("raise SystemExit('the wrong one')\n")
    (desk.project / "requirements.txt").write_text("standin-one\n")
    assert desk.type("init", "--venv").code == 0
    assert links.is_dir()


def test_without_a_requirements_txt_the_venv_alone_is_made(desk: Desk) -> None:
    answer = desk.type("init", "--venv", "--python", sys.executable)
    assert answer.code == 0, answer
    assert "no requirements.txt" in answer.out
    assert (desk.project / ".venv" / "pyvenv.cfg").exists()


def test_a_broken_venv_is_named_and_left_as_it_is(desk: Desk) -> None:
    made = make_venv(desk.project / ".venv", python="/gone/python3.9")
    before = tree(desk.project)
    answer = desk.type("init", "--venv")
    assert answer.code == 2
    assert "broken" in answer.err
    assert "/gone/python3.9" in answer.err
    assert tree(desk.project) == before
    assert made.path.is_dir()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_something_else_of_that_name_is_left_as_it_is(desk: Desk, kind: str) -> None:
    path = desk.project / ".venv"
    if kind == "file":
        path.write_text("x")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/gone")
    answer = desk.type("init", "--venv")
    assert answer.code == 2
    assert "is there already and is no venv" in answer.err
    assert os.path.lexists(path)


def test_another_python_than_that_of_the_venv_is_refused(desk: Desk) -> None:
    make_venv(desk.project / ".venv")
    answer = desk.type("init", "--venv", "--python", "3.12")
    assert answer.code == 2
    assert "with Python 3.11.7" in answer.err


def test_a_python_that_is_not_here_is_refused_before_anything_is_made(desk: Desk) -> None:
    for asked in ("3.99", "/gone/python3"):
        answer = desk.type("init", "--venv", "--python", asked)
        assert answer.code == 2
        assert asked in answer.err
    assert not (desk.project / ".venv").exists()


def test_a_python_that_cannot_make_a_venv_leaves_nothing_behind(desk: Desk) -> None:
    fake = desk.home / "python3"
    fake.write_text("#!/bin/sh\nmkdir -p $4/bin\necho 'ensurepip is not available' >&2\nexit 1\n")
    fake.chmod(0o755)
    answer = desk.type("init", "--venv", "--python", str(fake))
    assert answer.code == 4
    assert "apt install python3-venv" in answer.err
    assert not (desk.project / ".venv").exists()


def test_environment_yml_is_written_from_any_requirements_file(desk: Desk) -> None:
    (desk.project / "reqs.txt").write_text("numpy\nmkl\n")
    answer = desk.type("init", "--from", "reqs.txt")
    assert answer.code == 0, answer
    assert "wrote environment.yml" in answer.out
    spec = load_spec(desk.project / "environment.yml", "mymodel", desk.project)
    assert "mkl" in spec.dependencies
    assert spec.pip == ("numpy",)
    again = desk.type("init", "--from", "reqs.txt")
    assert "says the same already" in again.out


def test_what_is_there_stays_and_the_new_one_is_written_beside_it(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("numpy\n")
    (desk.project / "environment.yml").write_text("dependencies: [python=3.11, scipy]  # mine\n")
    before = (desk.project / "environment.yml").read_text()
    answer = desk.type("init", "--from", "requirements.txt")
    assert answer.code == 0, answer
    assert (desk.project / "environment.yml").read_text() == before
    assert "-dependencies: [python=3.11, scipy]  # mine" in answer.out
    assert "- numpy" in (desk.project / "environment.new.yml").read_text()
    twice = desk.type("init", "--from", "requirements.txt")
    assert twice.code == 2
    assert "environment.new.yml" in twice.err


def test_force_shows_the_difference_and_writes_over(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("mine\n")
    (desk.project / "environment.yml").write_text("channels: [x]\ndependencies: [python=3.11, scipy]\n")
    answer = desk.type("init", "--to-requirements", "--force")
    assert answer.code == 0, answer
    assert "-mine\n" in answer.out
    assert "+scipy\n" in answer.out
    assert "scipy\n" in (desk.project / "requirements.txt").read_text()
    assert not (desk.project / "requirements.new.txt").exists()


def test_without_an_environment_yml_there_is_nothing_to_write_from(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("numpy\n")
    answer = desk.type("init", "--to-requirements")
    assert answer.code == 2
    assert "there is no environment.yml" in answer.err
    assert desk.type("init", "--from", "gone.txt").code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--venv", "--to-requirements"),
        ("--from", "r.txt", "--ssh", "ssh x"),
        ("--venv", "--from-ssh", "a"),
        ("--python", "3.11"),
        ("--force",),
    ],
)
def test_words_that_do_not_go_together_are_refused(desk: Desk, words: tuple[str, ...]) -> None:
    answer = desk.type("init", *words)
    assert answer.code == 2, answer
    assert [one.name for one in desk.project.iterdir()] == [".git"]
