"""Which files look like secrets, whether few are new or many."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.tree import doubtful as looks
from provision.tree.doubtful import doubtful
from provision.tree.listing import scan_tree
from tests.tree.repository import git, write

if TYPE_CHECKING:
    from pathlib import Path

KEY = b'token = "hf_' + b"AbCdEfGhIjKlMnOpQrStUvWxYz01234567" + b'"\n'


@pytest.fixture(params=[0, looks.FEW], ids=["many", "few"])
def _few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "FEW", request.param)


@pytest.fixture
def project(root: Path) -> Path:
    git(root, "init", "-q")
    write(root, "tracked.py", "new.py", "deep/er/new.py", content=KEY)
    write(root, ".env", "code.py", content=b"x = 1\n")
    write(root, "site.pem", content=b"-----BEGIN PRIVATE KEY-----\nMIIE\n")
    git(root, "add", "tracked.py", "site.pem")
    write(root.parent, "outside.py", content=KEY)
    (root / "led.py").symlink_to(root.parent / "outside.py")
    (root / "link.py").symlink_to("new.py")
    return root


@pytest.mark.usefixtures("_few")
def test_names_tell_of_all_and_contents_of_what_git_does_not_have(project: Path) -> None:
    scan = scan_tree(project, outside_links="follow")
    found = doubtful(scan, [os.fsdecode(path) for path in scan.paths])
    # A certificate is looked into although git has it, and so is what a link leads to.
    assert sorted(found) == [".env", "deep/er/new.py", "led.py", "new.py", "site.pem"]


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize(
    ("new", "found"),
    [(["tracked.py"], []), (["new.py", "code.py"], ["new.py"]), (["link.py", "gone.py"], []), ([".env"], [".env"])],
)
def test_only_what_is_new_is_looked_at(project: Path, new: list[str], found: list[str]) -> None:
    scan = scan_tree(project, outside_links="follow")
    assert list(doubtful(scan, new)) == found
