"""A program is run by the first Python that can, once, whatever stands on the PATH under that name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import provision.remote
from tests.scripts.shells import SHELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECE = (Path(provision.remote.__file__).parent / "scripts/run_python.sh").read_text()
PROGRAM = "import os\nos.write(1, ('ran %s\\n' % sys.argv[1:]).encode())\n"
REAL = f'exec {sys.executable} "$@"'


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> Sequence[str]:
    found = shutil.which(request.param)
    assert found is not None
    return (found, "sh") if request.param == "busybox" else (found,)


def placed(tmp_path: Path, **pythons: str) -> dict[str, str]:
    """Put scripts of these names on a PATH of their own; each notes that it was started."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in pythons.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/started\n{text}\n")
        program.chmod(0o755)
    return {"PATH": str(folder), "HOME": str(tmp_path / "home")}


def run(shell: Sequence[str], env: dict[str, str], program: str = PROGRAM, state: str = "") -> tuple[int, str]:
    """Return the exit code and the output; the state folder, a program and two arguments are given."""
    text = f'{PIECE}\nrun_python "$@"'
    words = [*shell, "-c", text, "sh", state, program, "a b", "*"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout


def started(tmp_path: Path) -> list[str]:
    return (tmp_path / "started").read_text().split()


def test_the_first_that_can_runs_it_with_its_arguments_as_they_are(shell: Sequence[str], tmp_path: Path) -> None:
    assert run(shell, placed(tmp_path, python3=REAL, python=REAL)) == (0, "ran ['a b', '*']\n")
    assert started(tmp_path) == ["python3"]


@pytest.mark.parametrize(
    "broken",
    ["exit 1", "exit 127", "kill -ILL $$", 'echo "xcode-select: no developer tools" >&2; exit 1'],
    ids=["fails", "lacks a library", "another machine's", "a stub"],
)
def test_one_that_cannot_is_passed_over(shell: Sequence[str], tmp_path: Path, broken: str) -> None:
    assert run(shell, placed(tmp_path, python3=broken, python=REAL)) == (0, "ran ['a b', '*']\n")
    assert started(tmp_path) == ["python3", "python"]


def test_one_that_is_too_old_is_passed_over(shell: Sequence[str], tmp_path: Path) -> None:
    old = tmp_path / "old.py"
    # It says that it is old, as the program asks `sys` before all else.
    old.write_text("import sys; sys.version_info = (3, 5); exec(sys.argv.pop(1))")
    arguments = f'exec {sys.executable} {old} "$4" "$5" "$6"'
    assert run(shell, placed(tmp_path, python3=arguments, python=REAL)) == (0, "ran ['a b', '*']\n")
    assert started(tmp_path) == ["python3", "python"]


def test_one_that_lacks_a_module_is_passed_over(shell: Sequence[str], tmp_path: Path) -> None:
    program = f"import os\nif not os.environ.get('WHOLE'): import no_such_module\n{PROGRAM}"
    whole = f"WHOLE=1 {REAL}"
    assert run(shell, placed(tmp_path, python3=REAL, python=whole), program) == (0, "ran ['a b', '*']\n")
    assert started(tmp_path) == ["python3", "python"]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("raise ValueError", 0),
        ("sys.exit(0)", 0),
        ("raise MemoryError", 0),
        ("os.kill(os.getpid(), 1)", 129),
        ("os.kill(os.getpid(), 9)", 137),
        ("os.kill(os.getpid(), 15)", 143),
    ],
)
def test_what_was_run_is_not_run_again_however_it_ended(
    shell: Sequence[str], tmp_path: Path, end: str, code: int
) -> None:
    """A client that heard no word yet sees by the exit code that it was killed."""
    assert run(shell, placed(tmp_path, python3=REAL, python=REAL), PROGRAM + end) == (code, "ran ['a b', '*']\n")
    assert started(tmp_path) == ["python3"]


def test_an_environment_of_ours_is_the_last_resort(shell: Sequence[str], tmp_path: Path) -> None:
    env = placed(tmp_path)
    binaries = tmp_path / "home/state/envs/mymodel/train/current/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    assert run(shell, env) == (1, "")
    assert run(shell, env, state="~/state") == (0, "ran ['a b', '*']\n")


def test_a_conda_with_zstandard_comes_before_all_others(shell: Sequence[str], tmp_path: Path) -> None:
    env = placed(tmp_path, python3=REAL)
    conda = tmp_path / "home/miniforge3"
    (conda / "bin").mkdir(parents=True)
    (conda / "lib/python3.12/site-packages/zstandard").mkdir(parents=True)
    (conda / "bin/python").symlink_to(sys.executable)
    assert run(shell, env) == (0, "ran ['a b', '*']\n")
    assert not (tmp_path / "started").exists()
