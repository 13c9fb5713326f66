"""Every folder of bad_input holds one file that must be refused, and the exact message that says why.

PROVISION_REWRITE_GOLDEN=1 writes the messages anew: read them as somebody in a hurry would before keeping them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.environment.spec import load_spec
from provision.errors import BadFileError
from provision.inventory import load_inventory
from provision.playbook.files import load_playbook
from provision.project import load_project

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = sorted(one for one in (Path(__file__).parent / "bad_input").iterdir() if one.is_dir())

READERS: dict[str, Callable[[Path], object]] = {
    "hosts.yaml": load_inventory,
    "playbook.yaml": lambda path: load_playbook(str(path), None),
    "provision.yaml": lambda path: load_project(path.parent),
    "environment.yml": lambda path: load_spec(path, "demo", path.parent),
    "requirements.txt": lambda path: load_spec(path, "demo", path.parent),
}


def refusal(folder: Path) -> str:
    reader, path = next((READERS[name], folder / name) for name in READERS if (folder / name).exists())
    with pytest.raises(BadFileError) as refused:
        reader(path)
    assert refused.value.exit_code == 2
    error = refused.value
    return error.message + "\n" + (f"hint: {error.hint}\n" if error.hint else "")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_file_is_refused_with_its_message(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    shutil.copytree(case, folder)
    (folder / ".git").mkdir()
    for path in folder.rglob("*.*"):
        path.chmod(0o644 if path.is_file() else 0o755)
    monkeypatch.chdir(folder)
    said = refusal(folder)
    expected = case / "expected.txt"
    if os.environ.get("PROVISION_REWRITE_GOLDEN"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    assert said.isprintable() or said.replace("\n", "").isprintable()
    assert str(tmp_path) not in said


def test_there_are_as_many_bad_files_as_were_promised() -> None:
    assert len(CASES) >= 70
    assert all((case / "expected.txt").is_file() for case in CASES)
