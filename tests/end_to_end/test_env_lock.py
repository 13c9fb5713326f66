"""An environment is locked once, here, and built from its lock on every host, without solving."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.lab.webserver import Fault

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Answer, Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

HOSTS = 20 if os.environ.get("PROVISION_SOAK") else 2
BASE = ".provision/envs/mymodel/mymodel"
LOCK = "environment.linux-64-cpu.lock"


def settled(laptop: Laptop, boxes: list[LabHost], **mirror: object) -> None:
    """Write the hosts, with a mirror that has pip's index."""
    laptop.hosts(boxes)
    path = laptop.project / "hosts.yaml"
    inventory = json.loads(path.read_text())
    inventory["mirrors"] = {"lab": {"pip": f"{laptop.web.url}/simple/", **mirror}}
    inventory["defaults"]["mirrors"] = "lab"
    path.write_text(json.dumps(inventory))


def ok(answer: Answer) -> Answer:
    assert answer.code == 0, answer
    return answer


def packages(box: LabHost) -> dict[str, str]:
    """Return version and build of every package of the current generation, those of pip too."""
    code = (
        "import glob, importlib.metadata as m, json, sys\n"
        "found = {}\n"
        "for one in glob.glob(sys.prefix + '/conda-meta/*.json'):\n"
        "    r = json.load(open(one)); found[r['name']] = r['version'] + ' ' + r['build'] + ' ' + r['sha256']\n"
        "for one in m.distributions():\n"
        "    found['pip:' + one.metadata['Name']] = one.version\n"
        "print(json.dumps(found))"
    )
    done = box.run([f"{box.home}/{BASE}/current/bin/python", "-I", "-c", code], user=box.user)
    assert done.returncode == 0, done
    found: dict[str, str] = json.loads(done.stdout)
    return found


def generations(box: LabHost) -> list[str]:
    return sorted(box.run(f"ls {box.home}/{BASE} | grep -- -").stdout.split())


def spy_on_conda(box: LabHost) -> None:
    """Let every start of conda leave a line."""
    conda = f"{box.home}/miniconda3/bin/conda"
    spy = f'#!/bin/sh\necho "$*" >>/tmp/conda-ran\nexec {conda}.real "$@"\n'
    box.run(f"mv {conda} {conda}.real; cat >{conda}; chmod 755 {conda}", stdin=spy, check=True)
    box.run("touch /tmp/conda-ran; chmod 666 /tmp/conda-ran", check=True)


def conda_ran(box: LabHost) -> list[str]:
    return box.run("cat /tmp/conda-ran").stdout.splitlines()


def test_locked_once_every_host_gets_the_same_packages_and_nobody_solves(lab: Lab, laptop: Laptop) -> None:
    boxes = [lab.host(f"box{number}") for number in range(HOSTS)]
    settled(laptop, boxes)
    laptop.environment_yml("python", "pip", "standin-beta=1", {"pip": ["standin-plugin"]})
    answer = ok(laptop.type("env", "lock", "all"))
    assert f"{LOCK}: new; " in answer.out
    assert "2 by pip" in answer.out
    files = {one.name: one.read_text() for one in laptop.project.glob("environment.linux-*")}
    assert set(files) == {LOCK, "environment.linux-64-cpu.requirements.txt"}
    laptop.web.requests.clear()
    document = ok(laptop.type("up", "all", "--frozen", "--json", timeout=280)).document
    assert {one["outcome"] for one in document["hosts"].values()} == {"changed"}
    first, *others = (packages(box) for box in boxes)
    assert others == [first] * (HOSTS - 1)
    # One file a package: what is locked is there by checksum, and nothing else is.
    locked = re.findall(r"([^/]+)-([^-]+)-([^-]+)\.conda#([0-9a-f]{64})", files[LOCK])
    assert {name: value for name, value in first.items() if ":" not in name} == {
        name: f"{version} {build} {digest}" for name, version, build, digest in locked
    }
    assert not [path for path in laptop.web.requests if "repodata" in path], "no host read an index: none solved"
    for box in boxes:
        spy_on_conda(box)
    document = ok(laptop.type("up", "all", "--frozen", "--json")).document
    assert {one["outcome"] for one in document["hosts"].values()} == {"converged"}
    assert [conda_ran(box) for box in boxes] == [[]] * HOSTS


def test_a_stale_lock_is_refused_when_frozen_told_by_plan_and_made_anew_by_up(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    settled(laptop, [box])
    laptop.environment_yml("python", "pip", "standin-alpha=1.0")
    ok(laptop.type("env", "lock", "--cuda", "none"))
    ok(laptop.type("up", "box"))
    before = (laptop.project / LOCK).read_text()
    laptop.environment_yml("python", "pip", "standin-alpha=1.1")
    frozen = laptop.type("up", "box", "--frozen")
    assert frozen.code == 2, frozen
    assert f"{LOCK} is stale: environment.yml changed since it was locked" in frozen.err
    assert "provision env lock" in frozen.err
    plan = ok(laptop.type("plan", "box"))
    assert f"{LOCK} is stale" in plan.err
    assert (laptop.project / LOCK).read_text() == before, "plan changes nothing here either"
    answer = ok(laptop.type("up", "box"))
    assert "locking again" in answer.err
    assert "~ standin-alpha 1.0 -> 1.1" in answer.err
    assert packages(box)["standin-alpha"].startswith("1.1 ")
    assert len(generations(box)) == 2
    assert ok(laptop.type("up", "box", "--frozen", "--json")).document["hosts"]["box"]["outcome"] == "converged"
    checked = laptop.type("env", "lock", "--check")
    assert checked.code == 0, checked


def test_a_new_lock_of_the_same_file_is_a_new_generation_with_its_reason(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    settled(laptop, [box])
    laptop.environment_yml("python", "pip", "standin-alpha=1.0")
    ok(laptop.type("up", "box"))
    laptop.environment_yml("python", "pip", "standin-alpha")
    ok(laptop.type("up", "box"))
    assert packages(box)["standin-alpha"].startswith("2.0 ")
    ok(laptop.type("env", "lock", "box"))
    plan = ok(laptop.type("plan", "box", "--json")).document["hosts"]["box"]
    reasons = " ".join(step["reason"] for step in plan["steps"])
    assert f"it was solved on the host, and {LOCK} says now what belongs in it" in reasons
    ok(laptop.type("up", "box"))
    assert packages(box)["standin-alpha"].startswith("2.0 ")
    assert len(generations(box)) == 3


def test_a_host_that_no_lock_is_for_is_told_and_refused_when_frozen(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    settled(laptop, [box])
    ok(laptop.type("env", "lock", "--cuda", "12.4"))
    frozen = laptop.type("up", "box", "--frozen")
    assert frozen.code == 5, frozen
    assert "ENV-LOCK-NONE" in frozen.out + frozen.err
    assert "provision env lock box" in frozen.out + frozen.err
    assert generations(box) == []
    answer = ok(laptop.type("up", "box", "--json")).document["hosts"]["box"]
    assert answer["outcome"] == "changed"


def test_frozen_without_any_lock_is_refused_before_anything_is_connected(laptop: Laptop) -> None:
    (laptop.project / "hosts.yaml").write_text('{"version": 1, "hosts": {"a": {"address": "198.18.9.1"}}}')
    answer = laptop.type("up", "a", "--frozen", "-p", "training")
    assert answer.code == 2, answer
    assert "environment.yml has no lock" in answer.err


@pytest.mark.parametrize("damage", ["cut", "other", "garbage"])
def test_a_damaged_lock_is_told_with_the_file_and_what_to_do(laptop: Laptop, damage: str) -> None:
    (laptop.project / "hosts.yaml").write_text('{"version": 1, "hosts": {"a": {"address": "198.18.9.1"}}}')
    laptop.environment_yml("python", "pip", {"pip": ["standin-plugin"]})
    ok(laptop.type("env", "lock", "--cuda", "none", PROVISION_PLAIN="1", UV_DEFAULT_INDEX=f"{laptop.web.url}/simple/"))
    lock = laptop.project / LOCK
    beside = laptop.project / "environment.linux-64-cpu.requirements.txt"
    if damage == "cut":
        lock.write_text(lock.read_text()[:-40])
    elif damage == "other":
        beside.write_text(beside.read_text().replace("standin-wheel==1.1", "standin-wheel==1.0"))
    else:
        lock.write_bytes(b"\xff\xfe\x00")
    answer = laptop.type("up", "a", "-p", "training")
    assert answer.code == 2, answer
    assert LOCK in answer.err
    assert "provision env lock" in answer.err


def test_a_mirror_that_fails_costs_nothing_but_a_line(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    mirror = lab.serve(laptop.web.folder)
    settled(laptop, [box], channels={laptop.web.url: mirror.url})
    ok(laptop.type("env", "lock", "box"))
    lock = (laptop.project / LOCK).read_text()
    assert mirror.url not in lock
    for path in re.findall(rf"^{re.escape(laptop.web.url)}(\S+)#", lock, re.MULTILINE):
        mirror.fault(path, Fault(flip_at=100))
    answer = ok(laptop.type("up", "box", "-v"))
    text = answer.out + answer.err
    assert f"not from {mirror.url}: it sent other content" in text
    assert f"taken from {laptop.web.url}" in text


def test_what_conda_solved_on_a_host_is_a_lock_for_all_others(lab: Lab, laptop: Laptop) -> None:
    first, second = lab.host("first"), lab.host("second")
    settled(laptop, [first, second])
    laptop.environment_yml("python", "pip", "standin-beta=1")
    ok(laptop.type("up", "first"))
    answer = ok(laptop.type("env", "lock", "--from", "first"))
    assert f"{LOCK}: new; " in answer.out
    assert "nothing was solved here" in answer.err
    lock = (laptop.project / LOCK).read_text()
    had = packages(first)
    locked = re.findall(r"([^/]+)-([^-]+)-([^-]+)\.conda#([0-9a-f]{64})", lock)
    assert {name: value for name, value in had.items() if ":" not in name} == {
        name: f"{version} {build} {digest}" for name, version, build, digest in locked
    }
    laptop.web.requests.clear()
    ok(laptop.type("up", "second", "--frozen", timeout=280))
    assert packages(second) == had
    assert not [path for path in laptop.web.requests if "repodata" in path], "the second host did not solve"
    # Its own build from the lock says the same: a fixed point.
    again = ok(laptop.type("env", "lock", "--from", "second", "--check", "--json")).document
    assert [(one["up_to_date"], one["changes"]) for one in again["locks"]] == [(True, [])]
    laptop.environment_yml("python", "pip", "standin-alpha=1")
    old = laptop.type("env", "lock", "--from", "first")
    assert old.code == 4, old
    assert "was built from another text of environment.yml" in old.err
    assert (laptop.project / LOCK).read_text() == lock


def test_a_wheel_whose_checksum_the_host_does_not_know_is_said_with_what_to_do(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    settled(laptop, [box])
    laptop.environment_yml("python", "pip", {"pip": ["standin-plugin"]})
    ok(laptop.type("up", "box"))
    answer = laptop.type("env", "lock", "--from", "box")
    assert answer.code == 4, answer
    assert "standin-plugin" in answer.err
    assert "its checksum is not known there any more" in answer.err
    assert "pip install 'provision-gpu[lock]', then `provision env lock`" in answer.err
    assert not list(laptop.project.glob("environment.linux-*"))


@pytest.mark.parametrize("more", [("--cuda", "12.4"), ("box",), ("--upgrade",), ("--mirror", "tuna")])
def test_what_a_host_has_is_taken_as_it_is(laptop: Laptop, more: tuple[str, ...]) -> None:
    answer = laptop.type("env", "lock", "--from", "box", *more)
    assert answer.code == 2, answer
    assert "--from takes what a host has" in answer.err


MARKS = "<<<<<<< ours\n{}=======\n{}>>>>>>> theirs\n"


@pytest.mark.parametrize("damage", ["a merge", "nothing in it", "cut", "binary", "another's requirements"])
def test_a_damaged_lock_is_made_anew_for_the_same_machine(laptop: Laptop, damage: str) -> None:
    laptop.environment_yml("python", "pip", "standin-beta=1", {"pip": ["standin-wheel"]})
    path = laptop.project / "hosts.yaml"
    path.write_text(json.dumps({"version": 1, "mirrors": {"lab": {"pip": f"{laptop.web.url}/simple/"}}, "hosts": {}}))
    ok(laptop.type("env", "lock", "--cuda", "12.2", "--glibc", "2.28", "--mirror", "lab"))
    lock = laptop.project / "environment.linux-64-cuda12.lock"
    whole = lock.read_text()
    if damage == "another's requirements":
        beside = laptop.project / "environment.linux-64-cuda12.requirements.txt"
        beside.write_text(re.sub(r"standin-wheel==\S+", "standin-wheel==0.9", beside.read_text()))
    else:
        broken = {"a merge": MARKS.format(whole, whole), "nothing in it": "", "cut": whole[:-40]}
        lock.write_bytes(broken[damage].encode() if damage in broken else b"\xff\xfe\x00")
    answer = ok(laptop.type("env", "lock", "--mirror", "lab"))
    assert "it is made anew, for linux-64" in answer.err
    header = "cuda: 12.2\n# glibc: 2.28" if damage not in {"nothing in it", "binary"} else "cuda: 12.0\n"
    assert header in lock.read_text()
    ok(laptop.type("env", "lock", "--check", "--mirror", "lab"))


def test_a_lock_of_a_newer_provision_is_left_as_it_is(laptop: Laptop) -> None:
    laptop.environment_yml("python", "standin-beta=1")
    ok(laptop.type("env", "lock", "--cuda", "none"))
    lock = laptop.project / LOCK
    lock.write_text(lock.read_text().replace("format 1:", "format 9:"))
    before = lock.read_text()
    answer = laptop.type("env", "lock")
    assert answer.code == 2, answer
    assert f"{LOCK}: its format 9 is of a newer provision (this one reads 1)" in answer.err
    assert lock.read_text() == before


def test_what_cannot_be_solved_says_why_and_has_a_document(laptop: Laptop) -> None:
    laptop.environment_yml("python", "standin-beta=77")
    answer = laptop.type("env", "lock", "--cuda", "none", "--json")
    assert answer.code == 4, answer
    assert answer.document["error"]["kind"] == "step"
    assert "standin-beta" in answer.err
    assert "-> check the names and relax a version: the lines above say what stands in the way" in answer.err
    laptop.environment_yml("python", "pip", {"pip": ["git+https://git.example.com/x.git"]})
    answer = laptop.type("env", "lock", "--cuda", "none")
    assert answer.code == 4, answer
    assert "git+https://git.example.com/x.git comes from a repository" in answer.err


def test_a_bundle_is_refused_before_anything_is_fetched(laptop: Laptop) -> None:
    laptop.environment_yml("python", "standin-beta=1")
    ok(laptop.type("env", "lock", "--cuda", "12.2"))
    laptop.web.requests.clear()
    answer = laptop.type("env", "bundle", "-o", "absent/x.bundle")
    assert answer.code == 2, answer
    assert "absent/x.bundle: there is no folder" in answer.err
    answer = laptop.type("env", "bundle", "--cuda", "12.4")
    assert answer.code == 2, answer
    assert "no lock for CUDA 12.4, only for CUDA 12.2\n  -> provision env lock --cuda 12.4" in answer.err
    assert not laptop.web.requests
