"""GPU boxes, boxes booted without their GPU, and boxes that are not what was ordered."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.environment.site import RECORDED, ROOMY, codes, inside, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def gpu_box(site: Site) -> LabHost:
    site.root("26.7.1")
    return site.host("box", gpu=RECORDED / "a10", disk_size=ROOMY)


@pytest.fixture(scope="module")
def bare_box(site: Site) -> LabHost:
    site.root("26.7.1")
    return site.host("box", disk_size=ROOMY)


def base(name: str) -> str:
    return f".provision/envs/mymodel/{name}"


TORCH = "import torch; print(torch.__version__)"


def test_a_gpu_box_gets_the_cuda_build_that_its_driver_serves(typist: Laptop, gpu_box: LabHost) -> None:
    typist.hosts([gpu_box])
    typist.environment_yml("python", "pytorch", name="torchy")
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert inside(gpu_box, TORCH, base("torchy")).startswith("2.6.0+cu12")


def without_gpu_task(site: Site, typist: Laptop) -> None:
    typist.playbook({"environment": {}}, miniconda=site.adopting())


def test_a_box_without_a_gpu_gets_the_cpu_build_and_with_the_gpu_task_nothing(
    site: Site, typist: Laptop, bare_box: LabHost
) -> None:
    typist.hosts([bare_box])
    refused = typist.type("up", "--json")
    assert refused.code == 5, refused
    assert "GPU-MISSING" in codes(refused)
    without_gpu_task(site, typist)
    typist.environment_yml("python", "pytorch", name="torchy")
    assert typist.type("up").code == 0
    assert inside(bare_box, TORCH, base("torchy")) == "2.6.0+cpu"


def test_a_cpu_build_on_a_gpu_box_is_rejected_unless_the_file_asks_for_it(typist: Laptop, gpu_box: LabHost) -> None:
    typist.hosts([gpu_box])
    # cuda-version 11.8 leaves only the CPU build, which conda takes without a word.
    typist.environment_yml("python", "pytorch", "cuda-version=11.8", name="silently")
    answer = typist.type("up", "--json")
    assert answer.code == 4, answer
    assert "ENV-CPU-BUILD" in codes(answer)
    assert gpu_box.run(f"test -e {gpu_box.home}/{base('silently')}/current").returncode == 1
    typist.environment_yml("python", "pytorch=*=cpu*", name="silently")
    asked = typist.type("up", "--json")
    assert asked.code == 0, asked
    assert "ENV-CPU-BUILD" in [one["code"] for one in told(asked)["findings"] if one["severity"] == "warning"]


def test_the_variant_is_chosen_by_what_the_host_has(
    site: Site, typist: Laptop, gpu_box: LabHost, bare_box: LabHost
) -> None:
    (typist.project / "provision.yaml").write_text("environment: {gpu: gpu.yml, cpu: cpu.yml}\n")
    (typist.project / "environment.yml").unlink()
    for kind, alpha in (("gpu", "2"), ("cpu", "1")):
        text = f"name: varied\nchannels: ['{site.web.url}']\ndependencies: [python, standin-alpha={alpha}]\n"
        (typist.project / f"{kind}.yml").write_text(text)
    code = "import standin_alpha; print(standin_alpha.__version__)"
    without_gpu_task(site, typist)
    for box, version in ((gpu_box, "2.0"), (bare_box, "1.1")):
        typist.hosts([box])
        answer = typist.type("up", "--json")
        assert answer.code == 0, answer
        assert inside(box, code, base("varied")) == version

    (typist.project / "provision.yaml").write_text("environment: {gpu: gpu.yml}\n")
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    assert codes(answer)[0] == "ENV-NO-VARIANT"
    assert "environment: {cpu: FILE}" in told(answer)["findings"][0]["fix"]


def test_a_box_booted_without_its_gpu_is_built_for_it_and_reported_as_unproven(
    typist: Laptop, bare_box: LabHost
) -> None:
    typist.hosts([bare_box], {"box": {"expect": {"gpus": 1, "cuda": "12.4"}}})
    typist.environment_yml("python", "pytorch", name="unproven")
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    assert told(answer)["outcome"] == "unfit"
    assert "GPU-UNPROVEN" in codes(answer)
    assert inside(bare_box, TORCH, base("unproven")) == "2.6.0+cu124"
    again = typist.type("up", "--json")
    assert again.code == 5, again
    assert not [one for one in told(again)["steps"] if one["changed"]]


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ({"gpus": 8}, "GPU-COUNT"),
        ({"model": "H100"}, "GPU-MODEL"),
        ({"memory_gib": 80}, "GPU-MEMORY"),
        ({"driver": ">=990"}, "GPU-DRIVER-OLD"),
    ],
)
def test_a_box_that_is_not_what_was_ordered_is_refused_before_anything_is_built(
    typist: Laptop, gpu_box: LabHost, expect: dict[str, object], code: str
) -> None:
    typist.hosts([gpu_box], {"box": {"expect": expect}})
    typist.environment_yml("python", "standin-alpha", name=f"ordered{len(code)}")
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    assert code in codes(answer), answer
    assert gpu_box.run(f"test -e {gpu_box.home}/{base(f'ordered{len(code)}')}").returncode == 1


def test_another_driver_makes_the_deep_check_repeat(site: Site, typist: Laptop, tmp_path: Path) -> None:
    box = site.host("updated", gpu=RECORDED / "a10")
    typist.hosts([box])
    typist.environment_yml("python", "standin-alpha", name="driven")
    assert typist.type("up").code == 0
    assert told(typist.type("up", "--json"), "updated")["steps"] == []
    recorded = tmp_path / "recorded"
    shutil.copytree(RECORDED / "a10", recorded)
    for file in recorded.iterdir():
        old = file.read_text()
        driver = next(iter(told_driver(typist)))
        (box.root / "usr/share/recorded-nvidia-smi" / file.name).write_text(old.replace(driver, "580.65.06"))
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert told(answer, "updated")["outcome"] == "converged"
    assert [one["name"].split()[0] for one in told(answer, "updated")["steps"]] == ["import", "compute"]


def told_driver(typist: Laptop) -> list[str]:
    return [told(typist.type("plan", "--json"), "updated")["facts"]["gpu"]["driver"]]


@pytest.mark.parametrize(
    ("recording", "code", "says"),
    [
        ("driver-mismatch", "GPU-DRIVER-MISMATCH", "reboot"),
        ("no-devices", "GPU-UNPROVEN", ""),
        ("driver-not-loaded", "GPU-UNPROVEN", ""),
    ],
)
def test_a_driver_that_does_not_work_is_classified_and_told(
    site: Site, typist: Laptop, recording: str, code: str, says: str
) -> None:
    box = site.host("sick", gpu=RECORDED / recording)
    typist.hosts([box], {"sick": {"expect": {"gpus": 1, "cuda": "12.4"}}})
    typist.environment_yml("python", "standin-alpha", name="sick")
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    errors = [one for one in told(answer, "sick")["findings"] if one["severity"] == "error"]
    assert errors, answer
    (finding,) = [one for one in errors if one["code"] == code]
    assert says in (finding["fix"] or "").lower(), finding
