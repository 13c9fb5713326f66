"""`provision env export` and `env migrate` as a user types them: an export that is built exports the same again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Answer, Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

FILE = """\
# What the team trains with.
name: mymodel
channels: [conda-forge]  # the only one
dependencies:
  - python
  # what the others need
  - standin-alpha=1  # not 2 yet
  - pip
  - pip:
      - standin-plugin  # brings the wheel
variables:
  OMP_NUM_THREADS: "8"
"""
BASE = "/home/ubuntu/.provision/envs/mymodel/mymodel"
RECORDED = Path(__file__).parents[1] / "golden/nvidia_smi/a10"
ROOMY = 64 << 30
"""What the real PyTorch would need; the disk takes only what is written to it."""


@pytest.fixture
def team(laptop: Laptop) -> Laptop:
    """A laptop whose hosts have everything from one mirror of conda-forge and PyPI."""
    (laptop.project / "environment.yml").write_text(FILE)
    return laptop


def mirrored(laptop: Laptop, *hosts: LabHost) -> None:
    laptop.hosts(hosts)
    path = laptop.project / "hosts.yaml"
    inventory = json.loads(path.read_text())
    inventory["mirrors"] = {"near": {"channels": {"conda-forge": laptop.web.url}, "pip": f"{laptop.web.url}/simple"}}
    inventory["defaults"]["mirrors"] = "near"
    path.write_text(json.dumps(inventory))


def recorded(folder: Path, driver: str, cuda: str) -> Path:
    """Return an A10's recording with another driver."""
    shutil.copytree(RECORDED, folder)
    for file in folder.iterdir():
        text = file.read_text().replace("550.127.05", driver)
        file.write_text(text.replace("CUDA Version: 12.4", f"CUDA Version: {cuda}"))
    return folder


def built(answer: Answer) -> Answer:
    assert answer.code == 0, answer
    return answer


def by_hand(team: Laptop, box: LabHost, wheel: str) -> None:
    pip = f"cd / && {BASE}/current/bin/python -m pip install -q --index-url {team.web.url}/simple"
    host = team.web.url.split("/")[2].split(":")[0]
    done = box.run(f"{pip} --trusted-host {host} {wheel}", user="ubuntu")
    assert done.returncode == 0, done


def installed(box: LabHost) -> list[str]:
    """Return what conda-meta and site-packages name."""
    command = f"ls {BASE}/current/conda-meta {BASE}/current/lib/python3*/site-packages"
    return [one for one in box.run(command).stdout.split() if one.endswith((".json", ".dist-info"))]


def test_what_is_built_from_an_export_exports_the_same_again_with_each_pin(lab: Lab, team: Laptop) -> None:
    first, second = lab.fleet(["first", "second"])
    mirrored(team, first, second)
    built(team.type("up", "first"))

    untouched = built(team.type("env", "export", "first"))
    assert untouched.out == FILE, "the file that it was built from is what it asks for"
    assert untouched.err == ""

    by_hand(team, first, "standin-wheel==1.0")
    before = first.snapshot()
    for pin in ("asked", "version", "build"):
        exported = built(team.type("env", "export", "first", "--pin", pin))
        assert "\n  # what the others need\n" in exported.out
        assert "channels: [conda-forge]  # the only one" in exported.out
        assert "- standin-wheel==1.0\n" in exported.out
        assert team.web.url not in exported.out
        (team.project / "environment.yml").write_text(exported.out)
        built(team.type("up", "second"))
        again = built(team.type("env", "export", "second", "--pin", pin))
        assert again.out == exported.out
        assert again.err == ""
        assert installed(second) == installed(first)
        (team.project / "environment.yml").write_text(FILE)
    assert first.snapshot() == before, "nothing on the host changes"


def test_what_a_lock_brought_is_nobodys_wish_and_what_was_installed_by_hand_since_is(lab: Lab, team: Laptop) -> None:
    box = lab.host("gpu-box")
    mirrored(team, box)
    built(team.type("env", "lock", "gpu-box"))
    built(team.type("up", "gpu-box"))
    exported = built(team.type("env", "export", "gpu-box"))
    assert exported.out == FILE
    assert exported.err == ""

    by_hand(team, box, "standin-wheel==1.0")
    added = built(team.type("env", "export", "gpu-box"))
    assert added.out == FILE.replace("the wheel\n", "the wheel\n      - standin-wheel==1.0\n")
    assert added.err == "note: pip: standin-wheel==1.0 was installed there by hand: added\n"


def test_an_export_never_writes_over_a_file_and_says_what_it_left_out(lab: Lab, team: Laptop) -> None:
    box = lab.host("gpu-box")
    mirrored(team, box)
    none = team.type("env", "export", "gpu-box")
    assert none.code == 4, none
    assert "it has no environment 'mymodel' of the project 'mymodel'" in none.err
    (team.project / "environment.yml").write_text(FILE.replace("  OMP", "  HF_TOKEN: hunter2\n  OMP"))
    built(team.type("up", "gpu-box"))

    printed = built(team.type("env", "export", "gpu-box", "--json"))
    told = printed.document["hosts"]["gpu-box"]
    assert printed.document["command"] == "env export"
    assert (told["environment"], told["pin"], told["file"]) == ("mymodel", "asked", None)
    assert "hunter2" not in printed.out
    assert "# HF_TOKEN: left out, as it looks secret" in told["text"]
    assert told["notes"] == ["variable HF_TOKEN looks secret: its value is left out"]

    path = team.project / "out.yml"
    path.write_text("mine\n")
    refused = team.type("env", "export", "gpu-box", "-o", "out.yml")
    assert refused.code == 2, refused
    assert path.read_text() == "mine\n"
    built(team.type("env", "export", "gpu-box", "-o", "out.yml", "--force"))
    assert path.read_text() == told["text"]


def test_an_environment_that_was_made_by_hand_can_be_written_down(lab: Lab, team: Laptop) -> None:
    box = lab.host("gpu-box")
    mirrored(team, box)
    built(team.type("up", "gpu-box"))
    create = (
        f"cd / && ~/miniconda3/bin/conda create -y -n mine --override-channels -c {team.web.url} python standin-beta=1"
    )
    assert box.run(create, user="ubuntu").returncode == 0
    written = built(team.type("env", "export", "gpu-box", "--prefix", "~/miniconda3/envs/mine"))
    assert written.out.splitlines()[1:] == [
        "name: mine",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python",
        "  - standin-beta=1",
    ]


def migrated(team: Laptop, *words: str) -> Any:
    answer = built(team.type("env", "migrate", *words, "--yes", "--json", timeout=200))
    return answer.document


def test_an_environment_migrates_from_cuda_12_6_to_a_driver_that_serves_12_2(
    lab: Lab, team: Laptop, tmp_path: Path
) -> None:
    a = lab.host("gpu-a", gpu=recorded(tmp_path / "a", "560.35.05", "12.6"))
    b = lab.host("gpu-b", gpu=recorded(tmp_path / "b", "535.183.01", "12.2"))
    mirrored(team, a, b)
    (team.project / "environment.yml").write_text(
        FILE.replace("- pip\n", "- cuda-version=12.6  # the driver's\n  - pip\n", 1)
    )
    built(team.type("up", "gpu-a"))

    dry = built(team.type("env", "migrate", "gpu-a", "gpu-b", "--dry-run"))
    assert (
        "  cuda-version=12.6 -> cuda-version>=12.0,<12.3\n      gpu-b's driver 535.183.01 serves CUDA 12.2\n" in dry.out
    )
    assert not (team.project / "environment.gpu-b.yml").exists()
    unasked = team.type("env", "migrate", "gpu-a", "gpu-b")
    assert unasked.code == 2, unasked
    assert "--yes" in unasked.err
    assert b.run(f"test -e {BASE}").returncode == 1

    document = migrated(team, "gpu-a", "gpu-b")
    assert document["up"]["outcome"] == "changed"
    assert document["verify"]["outcome"] == "converged"
    assert [one["after"] for one in document["changes"]] == ["cuda-version>=12.0,<12.3"]
    file = (team.project / "environment.gpu-b.yml").read_text()
    assert "  - cuda-version>=12.0,<12.3  # the driver's\n" in file
    assert file.startswith("# What the team trains with.\n")
    assert Path(document["lock"]).is_file()
    assert "cuda-version" in json.dumps(document["difference"])
    there = {one.rsplit("-", 2)[0]: one for one in installed(b) if one.endswith(".json")}
    assert there["cuda-version"].startswith("cuda-version-12.1-")
    assert there["standin-alpha"] in installed(a)

    again = built(team.type("env", "migrate", "gpu-a", "gpu-b", "--yes"))
    assert "gpu-b has it now" in again.err
    (team.project / "environment.gpu-b.yml").write_text("mine\n")
    refused = team.type("env", "migrate", "gpu-a", "gpu-b", "--yes")
    assert refused.code == 2, refused
    assert (team.project / "environment.gpu-b.yml").read_text() == "mine\n"


def test_an_environment_migrates_to_a_host_without_a_gpu(lab: Lab, team: Laptop, tmp_path: Path) -> None:
    a = lab.host("gpu-a", gpu=recorded(tmp_path / "a", "560.35.05", "12.6"), disk_size=ROOMY)
    b = lab.host("cpu-box", disk_size=ROOMY)
    mirrored(team, a, b)
    asked = "- pytorch=2.6.0=cuda*\n  - cuda-version=12.4\n  - pip\n"
    (team.project / "environment.yml").write_text(FILE.replace("- pip\n", asked, 1))
    built(team.type("up", "gpu-a", "--json"))

    document = migrated(team, "gpu-a", "cpu-box", "-o", "environment.cpu.yml", "--no-lock")
    assert [(one["before"], one["after"]) for one in document["changes"]] == [
        ("pytorch=2.6.0=cuda*", "pytorch=2.6.0=*cpu*"),
        ("cuda-version=12.4", None),
    ]
    assert document["lock"] is None
    code = "import torch; print(torch.__version__)"
    assert b.run([f"{BASE}/current/bin/python", "-c", code], user="ubuntu").stdout.strip() == "2.6.0+cpu"
