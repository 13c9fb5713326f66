"""Links inside the tree travel as they are; those out of it are refused, followed or left out."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from provision.errors import UsageError
from provision.sync.manifest import LINK
from provision.tree.listing import open_file, scan_tree
from tests.tree.repository import write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("target", [b"a", b"sub/../a", b"missing", b"./sub", b"loop", b"\xff\n", b"sub/up/a"])
def test_a_link_inside_the_tree_travels_as_it_is(root: Path, target: bytes) -> None:
    write(root, "a", "sub/b")
    (root / "sub" / "up").symlink_to("..")
    os.symlink(target, os.path.join(os.fsencode(root), b"loop"))
    scan = scan_tree(root)
    at = scan.paths.index(b"loop")
    assert (scan.kinds[at], scan.sizes[at], scan.hashes[at]) == (LINK, len(target), hashlib.sha256(target).digest())


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "..", "../outside", "sub/../../outside", "up/../../x", "hop/x", "a/../../.."]
)
def test_a_link_out_of_the_tree_is_refused_with_what_to_do(root: Path, target: str) -> None:
    write(root, "sub/b")
    (root / "up").symlink_to("sub")
    write(root, ".gitignore", content=b"hop\n")
    (root / "hop").symlink_to("/nowhere")
    (root / "link").symlink_to(target)
    with pytest.raises(UsageError, match=f"link -> {target}") as caught:
        scan_tree(root)
    assert "links: follow" in str(caught.value.hint)


def test_only_a_few_of_many_links_are_named(root: Path) -> None:
    for number in range(8):
        (root / f"l{number}").symlink_to("/etc")
    with pytest.raises(UsageError, match="and 3 more"):
        scan_tree(root)


def test_links_out_of_the_tree_can_be_left_out(root: Path) -> None:
    write(root, "a")
    (root / "link").symlink_to("/etc/passwd")
    scan = scan_tree(root, outside_links="skip")
    assert (scan.paths, scan.skipped) == (
        [b"a"],
        [(b"link", "links: skip, as it points out of the project: /etc/passwd")],
    )


def test_what_links_lead_to_can_travel_instead(root: Path) -> None:
    outside = root.parent / "outside"
    write(outside, "weights", "deep/x", ".git/config", content=b"content")
    (outside / "deep" / "again").symlink_to("..")
    (outside / "null").symlink_to("/dev/null")
    (outside / "home").symlink_to(root)
    write(root, "a")
    (root / "file").symlink_to("../outside/weights")
    (root / "folder").symlink_to(outside)
    (root / "gone").symlink_to("/nowhere")
    scan = scan_tree(root, outside_links="follow")
    assert scan.paths == [b"a", b"file", b"folder/deep/x", b"folder/weights"]
    assert LINK not in scan.kinds
    assert {path for path, _ in scan.skipped} == {b"folder/deep/again", b"folder/null", b"folder/home", b"gone"}
    opened = open_file(scan, b"folder/deep/x")
    assert os.read(opened, 99) == b"content"
    os.close(opened)
