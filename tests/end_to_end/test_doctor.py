"""`provision doctor` as a user types it: the project's venv beside the environment that a real host has."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def made_venv(laptop: Laptop, *distributions: str) -> None:
    """Make a real venv in the project, and the metadata of distributions in it: `name==version`."""
    path = laptop.project / ".venv"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(path)], check=True)
    site = next(path.glob("lib/python3.*/site-packages"))
    for one in distributions:
        name, _, version = one.partition("==")
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n")
        (info / "REQUESTED").write_text("")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n")


def remarks(document: Any, host: str) -> dict[str, dict[str, Any]]:
    """Return what was said of a host, by the name of the check."""
    return {one["check"]: one for one in document["hosts"][host]["remarks"]}


def test_the_venv_is_compared_with_what_the_host_really_has(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    (laptop.project / "train.py").write_text("import lzma\nimport standin_alpha\nimport einops\n")
    (laptop.project / "requirements.txt").write_text("standin-alpha==2.0\neinops\n")
    made_venv(laptop, "standin_alpha==2.0", "einops==0.8.1")

    before = laptop.type("doctor", "--json")
    assert remarks(before.document, "gpu-box")["host-environment"]["fix"] == "provision up gpu-box"

    assert laptop.type("up", "gpu-box").code == 0
    snapshot = box.snapshot()
    answer = laptop.type("doctor", "gpu-box", "--json")
    assert answer.code == 5, answer
    said = remarks(answer.document, "gpu-box")
    assert said["host-environment"]["level"] == "ok"
    assert said["host-imports"]["names"] == ["einops (train.py:3)"]
    assert any("standin-alpha 2.0 here, 1" in one for one in said["host-versions"]["names"]), said
    assert said["host-stdlib"]["level"] == "ok"
    assert box.snapshot() == snapshot, "the host was changed"

    text = laptop.type("doctor")
    assert text.code == 5, text
    assert "imported, and not in the environment there: einops (train.py:3)" in text.out
    assert "gpu-box" in text.out.splitlines()


def test_a_host_that_is_not_reached_is_told_and_the_rest_is_judged_all_the_same(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    (laptop.project / "requirements.txt").write_text("einops\n")
    made_venv(laptop, "einops==0.8.1")
    box.stop()

    answer = laptop.type("doctor", "--json")
    assert answer.code == 3, answer
    assert answer.document["exit_code"] == 3
    assert answer.document["hosts"]["gpu-box"]["error"]["kind"] == "network"
    packages = next(one for one in answer.document["sections"] if one["title"] == "packages")
    assert "requirements" in [one["check"] for one in packages["remarks"]]
    assert "gpu-box: unreachable" in answer.err


def test_a_lie_of_the_host_about_its_packages_moves_nothing_on_the_screen(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    (laptop.project / "requirements.txt").write_text("standin-alpha\n")
    made_venv(laptop, "standin_alpha==1.0")
    assert laptop.type("up", "gpu-box").code == 0
    site = "/home/ubuntu/.provision/envs/mymodel/mymodel/current/lib/python3*/site-packages"
    info = "$(echo " + site + ")/evil-1.dist-info"
    made = box.run(
        f"mkdir -p {info} && printf 'Name: evil\\033[2J\\nVersion: 1\\033]0;x\\007\\n\\n' >{info}/METADATA",
        user="ubuntu",
    )
    assert made.returncode == 0, made

    answer = laptop.type("doctor", "gpu-box")
    assert "\x1b" not in answer.out
    assert "\x1b" not in answer.err
    assert "evil" in answer.out
