"""The verdict, end to end: recorded GPUs, a stand-in for PyTorch that computes one number, and what is said of both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.environment.site import RECORDED, ROOMY, codes, told

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def one_gpu(site: Site) -> LabHost:
    site.root("26.7.1")
    return site.host("box", gpu=RECORDED / "a10", disk_size=ROOMY)


@pytest.fixture(scope="module")
def two_gpus(site: Site) -> LabHost:
    site.root("26.7.1")
    return site.host("pair", gpu=RECORDED / "a100-sxm4-40gb-two", disk_size=ROOMY)


def steps(laptop: Laptop, name: str) -> list[str]:
    return [one["name"].split()[0] for one in told(laptop.type("up", "--json"), name)["steps"]]


def test_a_fit_host_says_so_in_one_line_with_what_computes_there(typist: Laptop, two_gpus: LabHost) -> None:
    typist.hosts([two_gpus])
    typist.environment_yml("python", "pytorch", name="fit")
    first = typist.type("up")
    assert first.code == 0, first
    assert "compute with fit 1-" in first.err
    (line,) = [one for one in first.out.splitlines() if "fit: " in one]
    assert "2x NVIDIA A100-SXM4-40GB (40.0 GiB), driver 580.126.09 serves CUDA 13.0" in line
    assert "torch 2.6.0+cu128 computes on all 2" in line
    assert steps(typist, "pair") == []
    again = typist.type("up")
    assert "computes on all 2" in again.out
    verdict = typist.type("verify")
    assert verdict.code == 0, verdict
    assert "computes on all 2" in verdict.out


@pytest.mark.parametrize(
    ("faults", "code", "says"),
    [
        ({"1": "wrong"}, "FRAMEWORK-WRONG-RESULT", "GPU 1"),
        (
            {"0": "CUDA error: no kernel image is available for execution on the device"},
            "FRAMEWORK-FAILED",
            "no kernel",
        ),
        ({"rank 1": "ncclUnhandledCudaError: Call to CUDA function failed."}, "FRAMEWORK-COLLECTIVE", "nccl"),
    ],
    ids=["a wrong result", "no kernel image", "no all-reduce"],
)
def test_a_gpu_that_does_not_compute_makes_the_host_unfit_and_leaves_the_build_in_use(
    typist: Laptop, two_gpus: LabHost, faults: dict[str, str], code: str, says: str
) -> None:
    typist.hosts([two_gpus], {"pair": {"env": {"STAND_IN_TORCH_FAULTS": json.dumps(faults)}}})
    name = f"faulty{len(code)}"
    typist.environment_yml("python", "pytorch", name=name)
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    assert told(answer, "pair")["outcome"] == "unfit"
    (found, *_) = [one for one in told(answer, "pair")["findings"] if one["code"] == code]
    assert found["severity"] == "error"
    assert says.lower() in found["message"].lower()
    assert found["why"]
    in_use = f"{two_gpus.home}/.provision/envs/mymodel/{name}/current"
    assert two_gpus.run(f"test -e {in_use}/bin/python").returncode == 0
    # Nothing was recorded: it is tried again, and passes when the fault is gone.
    typist.hosts([two_gpus])
    assert steps(typist, "pair") == ["compute"]
    assert steps(typist, "pair") == []


def test_what_verify_finds_broken_is_computed_again_by_the_next_up(typist: Laptop, two_gpus: LabHost) -> None:
    typist.hosts([two_gpus])
    typist.environment_yml("python", "pytorch", name="broke")
    assert typist.type("up").code == 0
    assert steps(typist, "pair") == []
    typist.hosts([two_gpus], {"pair": {"env": {"STAND_IN_TORCH_FAULTS": json.dumps({"1": "wrong"})}}})
    broken = typist.type("verify", "--json")
    assert broken.code == 5, broken
    assert "FRAMEWORK-WRONG-RESULT" in codes(broken, "pair")
    assert "computes on" not in typist.type("plan").out
    typist.hosts([two_gpus])
    assert steps(typist, "pair") == ["compute"]
    assert steps(typist, "pair") == []


def test_a_cuda_that_the_driver_does_not_serve_is_told_before_anything_is_built(
    typist: Laptop, one_gpu: LabHost
) -> None:
    typist.hosts([one_gpu])
    typist.environment_yml("python", "pip", {"pip": ["cupy-cuda13x"]}, name="toonew")
    plan = typist.type("plan")
    assert plan.code == 5, plan
    assert "cupy-cuda13x needs CUDA 13.0, driver 550.127.05 serves CUDA 12.4 at most" in plan.out
    before = one_gpu.snapshot()
    refused = typist.type("up", "--json")
    assert refused.code == 5, refused
    assert codes(refused)[0] == "CUDA-TOO-NEW"
    assert "a build for CUDA 12.4" in told(refused)["findings"][0]["fix"]
    assert one_gpu.snapshot() == before


def test_build_anyway_builds_what_the_driver_does_not_serve_and_calls_the_host_unfit(
    site: Site, typist: Laptop, one_gpu: LabHost
) -> None:
    typist.hosts([one_gpu])
    options = [f"--index-url {site.web.url}/simple/", f"--trusted-host {site.web.url.split('/')[2].split(':')[0]}"]
    typist.playbook({"environment": {"allow_pip_options": True}}, {"gpu": {}}, miniconda=site.adopting())
    typist.environment_yml("python", "pip", {"pip": [*options, "cupy-cuda13x"]}, name="anyway")
    answer = typist.type("up", "--build-anyway", "--json")
    assert answer.code == 5, answer
    assert "CUDA-TOO-NEW" in codes(answer)
    current = f"{one_gpu.home}/.provision/envs/mymodel/anyway/current"
    assert one_gpu.run(f"{current}/bin/python -c 'import cupy'").returncode == 0


def test_explain_prints_the_page_of_every_code_that_a_run_shows(typist: Laptop) -> None:
    english = typist.type("verify", "--explain", "CUDA-TOO-NEW")
    assert english.code == 0, english
    assert english.out.startswith("# CUDA-TOO-NEW: ")
    assert "## What to do" in english.out
    chinese = typist.type("verify", "--explain", "cuda_too_new", LC_ALL="zh_CN.UTF-8")
    assert "## 怎么办" in chinese.out
    wrong = typist.type("verify", "--explain", "CUDA-TO-NEW")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean 'CUDA-TOO-NEW'" in wrong.err
