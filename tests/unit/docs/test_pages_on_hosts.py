"""What the tutorial and the how-to pages promise, typed at a real host."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.conftest import channel, installers, laptop, shared
from tests.unit.docs.pages import REFERENCE

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

__all__ = ["channel", "installers", "laptop", "shared"]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]


def _codes(host: dict[str, Any]) -> set[str]:
    return {one["code"] for one in host["findings"]}


def test_the_tutorial_holds_and_the_list_of_files_on_the_host_is_whole(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    before = set(box.run(f"ls -A {box.home}", check=True).stdout.split())
    assert laptop.type("plan", "gpu-box", "--exit-code").code == 7
    assert set(box.run(f"ls -A {box.home}", check=True).stdout.split()) == before
    assert laptop.type("up", "gpu-box").code == 0
    assert laptop.type("plan", "gpu-box", "--exit-code").code == 0
    shown = laptop.type("exec", "gpu-box", "--", '~/.conda/envs/mymodel/bin/python -c "import standin_alpha; print(7)"')
    assert (shown.code, shown.out) == (0, "7\n")
    laptop.environment_yml("python", "pip", "standin-alpha=1", "numpy")
    assert "+ numpy" in laptop.type("plan", "gpu-box").out
    assert laptop.type("verify", "gpu-box").code == 5
    assert laptop.type("up", "gpu-box").code == 0
    assert laptop.type("verify", "gpu-box").code == 0

    page = (REFERENCE / "host-files.md").read_text("utf-8")
    for name in set(box.run(f"ls -A {box.home}", check=True).stdout.split()) - before:
        assert f"`~/{name}" in page, name
    for name in box.run(f"ls -A {box.home}/.provision", check=True).stdout.split():
        assert re.search(rf"`\.\.\./{re.escape(name)}\b", page), name


def test_several_environments_from_a_local_installer_that_is_pinned_at_first_use(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    (laptop.project / "provision.yaml").write_text("environments: {train: environment.yml, eval: eval.yml}\n")
    train = (laptop.project / "environment.yml").read_text()
    (laptop.project / "eval.yml").write_text(
        train.replace('"mymodel"', '"eval"').replace("standin-alpha=1", "standin-alpha")
    )
    folder = laptop.project / "installers"
    folder.mkdir()
    (folder / laptop.installer.path.name).write_bytes(laptop.installer.path.read_bytes())
    entry = {"installer": f"installers/{laptop.installer.path.name}"}
    tasks = [{"miniconda": entry}, {"environment": {"name": "train"}}, {"environment": {"name": "eval"}}]
    (laptop.project / "playbooks" / "offline.yaml").write_text(json.dumps({"name": "offline", "tasks": tasks}))
    answer = laptop.type("up", "gpu-box", "-p", "offline")
    assert answer.code == 0, answer
    assert box.run(f"ls {box.home}/.conda/envs", check=True).stdout.split() == ["eval", "mymodel"]
    pinned = json.loads((laptop.project / "playbooks" / "installers.pinned.json").read_text())
    assert pinned == {laptop.installer.path.name: laptop.installer.sha256}


def test_a_box_without_its_gpu_is_built_and_reported_as_unproven(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box], {"gpu-box": {"expect": {"gpus": 1, "cuda": "12.4"}}})
    laptop.playbook({"environment": {}}, "gpu")  # type: ignore[arg-type]
    answer = laptop.type("up", "gpu-box", "--json")
    assert answer.code == 5, answer
    assert _codes(answer.document["hosts"]["gpu-box"]) >= {"GPU-UNPROVEN"}
    assert box.run(f"test -h {box.home}/.conda/envs/mymodel").returncode == 0


def test_terms_of_service_stop_a_run_before_any_download(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    (laptop.project / "environment.yml").write_text("name: mymodel\nchannels: [defaults]\ndependencies: [python]\n")
    answer = laptop.type("up", "gpu-box", "--json")
    assert answer.code == 5, answer
    assert "Terms of Service" in answer.document["hosts"]["gpu-box"]["error"]["message"]
    assert box.run(f"test -e {box.home}/.provision").returncode == 1


def test_mirrors_of_a_host_do_not_ask_for_terms_and_are_no_change(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box], {"gpu-box": {"mirrors": "lab"}})
    hosts = json.loads((laptop.project / "hosts.yaml").read_text())
    hosts["mirrors"] = {"lab": {"channels": {"defaults": laptop.web.url}}}
    (laptop.project / "hosts.yaml").write_text(json.dumps(hosts))
    (laptop.project / "environment.yml").write_text(
        "name: mymodel\nchannels: [defaults]\ndependencies: [python, pip]\n"
    )
    answer = laptop.type("up", "gpu-box")
    assert answer.code == 0, answer
    hosts["hosts"]["gpu-box"]["mirrors"] = "china"
    (laptop.project / "hosts.yaml").write_text(json.dumps(hosts))
    again = laptop.type("up", "gpu-box", "--json")
    assert again.code == 0, again
    assert again.document["hosts"]["gpu-box"]["outcome"] == "converged"


def test_a_chain_of_jump_hosts_may_be_written_host_by_host(lab: Lab, laptop: Laptop) -> None:
    bastion = lab.host("bastion")
    middle = lab.host("middle", jump=bastion)
    laptop.hosts([bastion, middle], {"middle": {"jump": "bastion"}})
    answer = laptop.type("exec", "middle", "--", "hostname")
    assert answer.code == 0, answer
    assert answer.out == "middle\n"
    assert "bastion: new host key" in answer.err


def test_strict_host_keys_refuse_a_first_contact_and_trust_accepts_it(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    refused = laptop.type("exec", "gpu-box", "--host-keys", "strict", "--json", "--", "true")
    assert refused.code == 3, refused
    error = refused.document["hosts"]["gpu-box"]["error"]
    assert error["kind"] == "host_key"
    found = re.search(r"SHA256:[A-Za-z0-9+/]{43}", error["hint"])
    assert found is not None
    assert laptop.type("trust", "gpu-box", "--fingerprint", found[0]).code == 0
    assert laptop.type("exec", "gpu-box", "--host-keys", "strict", "--", "true").code == 0
