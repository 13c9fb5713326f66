"""`mirrors: auto`: a host asks all of them, the best one serves, and where it fails the next does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.controller import ADDRESS
from tests.lab.webserver import Fault

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Answer, Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.lab.webserver import WebServer

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

NAMES = ("refusing", "slow", "down", "wrong", "right")
INDEX = "/linux-64/repodata.json"


def mirrored(lab: Lab, laptop: Laptop, box: LabHost, names: tuple[str, ...] = NAMES) -> dict[str, WebServer]:
    """Serve the same files five times, each with a fault of its own; write them down as mirrors of conda-forge."""
    # What every index has: the program itself.
    page = laptop.web.folder / "simple/pip/index.html"
    page.parent.mkdir()
    page.write_text("<!DOCTYPE html>" + "<br>" * 10_000)
    servers = {name: lab.serve(laptop.web.folder) for name in NAMES if name != "down"}
    urls = {name: one.url for name, one in servers.items()} | {"down": f"http://{ADDRESS}:9"}
    files = [f"/{one.relative_to(laptop.web.folder)}" for one in laptop.web.folder.rglob("*") if one.is_file()]
    for path in [*files, "/simple/pip/"]:
        servers["refusing"].fault(path, Fault(status=403))
    servers["slow"].fault(INDEX, Fault(drip=0.3))
    servers["slow"].fault("/simple/pip/", Fault(drip=0.3))
    for path in files:
        if path.endswith((".conda", ".whl")):
            servers["wrong"].fault(path, Fault(flip_at=200))
    # Once only, and only so that the wrong one is sure to be the faster of the two.
    for path in (INDEX, "/simple/pip/"):
        servers["right"].fault(path, Fault(truncate_at=40, times=1))
    laptop.hosts([box])
    written = laptop.project / "hosts.yaml"
    inventory = json.loads(written.read_text())
    inventory["mirrors"] = {
        name: {"channels": {"conda-forge": urls[name]}, "pip": f"{urls[name]}/simple"} for name in names
    }
    inventory["defaults"]["mirrors"] = "auto"
    written.write_text(json.dumps(inventory))
    packages = ["python", "pip", "standin-alpha=1", {"pip": ["standin-plugin"]}]
    text = {"name": "mymodel", "channels": ["conda-forge"], "dependencies": packages}
    (laptop.project / "environment.yml").write_text(json.dumps(text))
    return servers


def finding(answer: Answer) -> str:
    found = [one for one in answer.document["hosts"]["box"]["findings"] if one["code"] == "MIRROR-CHOSEN"]
    assert len(found) == 1, answer
    message: str = found[0]["message"]
    return message


def test_of_a_refusing_a_slow_a_dead_a_wrong_and_a_right_mirror_the_right_one_is_used_and_the_others_are_named(
    lab: Lab, laptop: Laptop
) -> None:
    box = lab.host("box")
    servers = mirrored(lab, laptop, box)
    plan = laptop.type("plan", "box")
    assert plan.code == 0, plan
    assert "choose the nearest mirrors" in plan.out
    assert not servers["right"].requests, "a plan asks nobody"
    answer = laptop.type("up", "box", "--json")
    assert answer.code == 0, answer
    message = finding(answer)
    assert message.startswith("downloads come from wrong: wrong ")
    assert "refusing refused (403)" in message
    assert "down curl: (7) Failed to connect" in message
    assert "slow too slow (" in message
    log = box.run("cat /home/ubuntu/.provision/steps/*/log", user="root").stdout
    assert "these channels do not serve, asking the next ones: " + servers["wrong"].url in log
    assert f"this index does not serve: {servers['wrong'].url}/simple; asking the next one" in log
    assert any(path.endswith(".conda") for path in servers["right"].requests)
    assert not any(path.endswith(".conda") for path in servers["refusing"].requests)
    # What was chosen stands; a host that has all of it asks nobody again.
    for one in servers.values():
        one.requests.clear()
    again = laptop.type("up", "box", "--json")
    assert again.document["hosts"]["box"]["outcome"] == "converged"
    assert finding(again) == message
    assert not any(one.requests for one in servers.values())


def test_where_no_download_succeeds_the_choice_is_made_anew_by_the_next_run(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    servers = mirrored(lab, laptop, box, ("refusing", "wrong", "right"))
    for one in laptop.web.folder.rglob("*.conda"):
        servers["right"].fault(f"/{one.relative_to(laptop.web.folder)}", Fault(status=503))
    failed = laptop.type("up", "box")
    assert failed.code == 4, failed
    assert not box.run("ls /home/ubuntu/.provision/record/*/mirrors.json", user="root").stdout
    servers["right"].heal()
    answer = laptop.type("up", "box", "--json")
    assert answer.code == 0, answer
    assert "downloads come from " in finding(answer)
