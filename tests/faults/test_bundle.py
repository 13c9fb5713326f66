"""A bundle in place of the internet: neither the host nor this machine reaches anything."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.test_env_lock import generations, ok, packages
from tests.faults.test_offline_hosts import locked, without_a_way_out

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def bundled(laptop: Laptop) -> Path:
    answer = ok(laptop.type("env", "bundle", "-p", "training", "-o", "usb.bundle"))
    assert "provision up HOST --bundle usb.bundle" in answer.err
    return laptop.project / "usb.bundle"


def elsewhere(laptop: Laptop) -> None:
    """Take the internet away, and what this machine had downloaded."""
    for path in list(laptop.web.folder.rglob("*")):
        if path.is_file():
            path.unlink()
    os.rename(laptop.home / ".cache", laptop.home / "cache-of-the-other-machine")  # noqa: PTH104 - a folder


def test_an_offline_host_is_built_from_a_bundle_on_a_machine_without_internet(lab: Lab, laptop: Laptop) -> None:
    box = without_a_way_out(lab.host("box"))
    locked(laptop, [box], offline=False)
    bundled(laptop)
    elsewhere(laptop)
    ok(laptop.type("up", "box", "--bundle", "usb.bundle"))
    assert packages(box)["pip:standin-plugin"] == "0.3"
    assert len(generations(box)) == 1
    # Once more, now from the cache of both.
    assert ok(laptop.type("up", "box", "--json")).document["hosts"]["box"]["outcome"] == "converged"


@pytest.mark.parametrize("damage", ["cut", "flipped", "another file", "another lock", "gone"])
def test_a_bad_bundle_is_told_before_any_host_is_asked(laptop: Laptop, damage: str) -> None:
    (laptop.project / "hosts.yaml").write_text('{"version": 1, "hosts": {"box": {"address": "198.18.9.1"}}}')
    laptop.environment_yml("python", "standin-alpha=1.0")
    ok(laptop.type("env", "lock", "--cuda", "none"))
    bundle = bundled(laptop)
    data = bytearray(bundle.read_bytes())
    said = "usb.bundle"
    if damage == "cut":
        bundle.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        with tarfile.open(bundle) as tar:
            last = [one for one in tar if one.name.startswith("packages/")][-1]
        data[last.offset_data + 10] ^= 0xFF
        bundle.write_bytes(data)
        said = "is damaged in it"
    elif damage == "another file":
        bundle.write_text("no bundle")
    elif damage == "gone":
        bundle.unlink()
    else:
        laptop.environment_yml("python", "standin-alpha=1.1")
        ok(laptop.type("env", "lock"))
        said = "made from another lock"
    elsewhere(laptop)
    answer = laptop.type("up", "box", "-p", "training", "--bundle", "usb.bundle")
    assert answer.code == 2, answer
    assert said in answer.err
    kept = laptop.home / ".cache/provision/packages"
    assert not list(kept.glob("*.part")) if kept.exists() else True
