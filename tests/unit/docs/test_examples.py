"""Every YAML block on a page is a file that provision takes: its first line names the kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.environment.spec import load_spec
from provision.inventory import load_inventory
from provision.playbook.files import parse_playbook
from provision.project import load_project
from tests.unit.docs.pages import blocks, name, pages

_EXAMPLES = [(page, text) for page in pages() for text in blocks(page, "yaml")]


def _called(value: tuple[Path, str]) -> str:
    return f"{name(value[0])}:{value[1].splitlines()[0][:40]}"


@pytest.mark.parametrize(("page", "text"), _EXAMPLES, ids=[_called(one) for one in _EXAMPLES])
def test_the_example_is_taken(page: Path, text: str, tmp_path: Path) -> None:
    first = text.splitlines()[0]
    assert first.startswith("# "), f"{name(page)}: the first line names the file: {first}"
    file = first.removeprefix("# ").split()[0].rstrip(":,")
    path = tmp_path / Path(file).name
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    if file == "hosts.yaml":
        load_inventory(path)
    elif file == "provision.yaml":
        for one in ("environment.yml", "environment.gpu.yml", "environment.cpu.yml", "eval.yml"):
            (tmp_path / one).touch()
        load_project(tmp_path)
    elif file.startswith("playbooks/"):
        parse_playbook(text, file)
    else:
        assert file.startswith("environment"), f"{name(page)}: what is {file}?"
        (tmp_path / "requirements.txt").write_text("numpy\n", "utf-8")
        load_spec(path, "mymodel", tmp_path)
