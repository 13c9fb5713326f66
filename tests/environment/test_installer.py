"""The installer on its way to the host: what is not exactly the pinned file is never executed."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING

import pytest

from provision.miniconda.table import newest
from tests.environment.site import codes, told
from tests.lab.webserver import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.laptop import Answer, Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab

PREFIX = "/home/ubuntu/miniconda3"
PORTAL = b"#!/bin/sh\ntouch /home/ubuntu/EXECUTED # <html>Welcome to the hotel, please log in</html>\n"


@pytest.fixture(scope="module")
def host(site: Site) -> LabHost:
    return site.lab.host("box")


@pytest.fixture
def box(host: LabHost, laptop: Laptop) -> Iterator[LabHost]:
    """A bare host, each time."""
    laptop.hosts([host])
    laptop.playbook()
    yield host
    host.run(f"rm -rf {PREFIX} /home/ubuntu/.provision /home/ubuntu/EXECUTED")


def path_of(laptop: Laptop) -> str:
    return f"/{laptop.installer.path.name}"


def mirror(laptop: Laptop, profile: dict[str, object]) -> None:
    """Let every host use one mirror."""
    inventory = json.loads((laptop.project / "hosts.yaml").read_text())
    inventory["mirrors"] = {"near": profile}
    for host in inventory["hosts"].values():
        host["mirrors"] = "near"
    (laptop.project / "hosts.yaml").write_text(json.dumps(inventory))


def refused(answer: Answer, box: LabHost, *words: str) -> None:
    """The run failed with these words, and nothing of what came was run or kept."""
    assert answer.code == 4, answer
    error = told(answer)["error"]
    for word in words:
        assert word in f"{error['message']}\n{error['hint']}", answer
    assert box.run(f"test -e {PREFIX} -o -e /home/ubuntu/EXECUTED").returncode == 1
    assert box.run("ls /home/ubuntu/.provision/cache").stdout == ""


def test_a_file_with_another_checksum_is_refused_and_the_message_has_both(laptop: Laptop, box: LabHost) -> None:
    wrong = "ab" * 32
    laptop.playbook(miniconda={"sha256": wrong})
    refused(laptop.type("up", "--json"), box, "wrong content", wrong, laptop.installer.sha256, "nothing of it was run")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(flip_at=40_000_000), id="one byte flipped"),
        pytest.param(Fault(body=PORTAL), id="a captive portal's page"),
        pytest.param(Fault(body=b""), id="an empty answer"),
    ],
)
def test_damaged_content_is_refused_and_nothing_is_executed(laptop: Laptop, box: LabHost, fault: Fault) -> None:
    laptop.web.fault(path_of(laptop), fault)
    refused(laptop.type("up", "--json"), box, "wrong content from http://", laptop.installer.sha256)


def test_a_redirect_to_a_captive_portal_is_refused(laptop: Laptop, box: LabHost) -> None:
    (laptop.web.folder / "portal.html").write_bytes(PORTAL)
    laptop.web.fault(path_of(laptop), Fault(status=302, location=f"{laptop.web.url}/portal.html"))
    refused(laptop.type("up", "--json"), box, "wrong content")


@pytest.mark.parametrize("tool", ["curl", "wget", "python3"])
def test_a_download_that_is_cut_is_resumed_by_every_tool(site: Site, laptop: Laptop, tool: str) -> None:
    others = {"curl": (), "wget": ("curl",), "python3": ("curl", "wget")}[tool]
    box = site.lab.host("box", without=others)
    laptop.hosts([box])
    laptop.playbook()
    size = laptop.installer.path.stat().st_size
    laptop.web.fault(path_of(laptop), Fault(truncate_at=size // 2, times=1))
    laptop.web.ranges.clear()
    answer = laptop.type("up", "--json")
    if tool == "python3" and answer.code == 4:
        answer = laptop.type("up", "--json")
    assert answer.code == 0, answer
    assert laptop.web.ranges == [f"bytes={size // 2}-"]
    assert box.run("ls /home/ubuntu/.provision/cache").stdout.split() == [laptop.installer.sha256]


@pytest.mark.soak
@pytest.mark.parametrize("sixteenth", range(1, 16))
def test_a_server_that_always_cuts_is_told_and_what_came_is_never_executed(
    laptop: Laptop, box: LabHost, sixteenth: int
) -> None:
    size = laptop.installer.path.stat().st_size
    laptop.web.fault(path_of(laptop), Fault(truncate_at=size * sixteenth // 16, ranges=False))
    answer = laptop.type("up", "--json")
    assert answer.code == 4, answer
    assert box.run(f"test -e {PREFIX}").returncode == 1


@pytest.mark.soak
@pytest.mark.usefixtures("box")
def test_a_stalled_download_is_given_up_within_a_minute_and_resumed(laptop: Laptop) -> None:
    size = laptop.installer.path.stat().st_size
    laptop.web.fault(path_of(laptop), Fault(stall_at=size // 2, times=1))
    laptop.web.ranges.clear()
    answer = laptop.type("up", "--json")
    assert answer.code == 0, answer
    assert laptop.web.ranges == [f"bytes={size // 2}-"]
    fetched = next(one for one in told(answer)["steps"] if one["name"].startswith("download"))
    assert fetched["seconds"] < 60


def test_a_file_that_is_nowhere_is_told_with_every_address(laptop: Laptop, box: LabHost) -> None:
    laptop.web.fault(path_of(laptop), Fault(status=404))
    answer = laptop.type("up", "--json")
    refused(answer, box, "neither the host nor this machine can download it", "404", "mirrors:")


@pytest.mark.usefixtures("box")
def test_a_mirror_is_asked_first_and_the_address_of_the_table_after_it(laptop: Laptop) -> None:
    mirror(laptop, {"installer": laptop.web.url})
    laptop.playbook(miniconda={"installer": None, "sha256": None, "version": None})
    name = newest(platform.machine()).file_name
    answer = laptop.type("up", "--json")
    assert answer.code == 4, answer
    assert laptop.web.requests[f"/{name}"] >= 1
    assert f"https://repo.anaconda.com/miniconda/{name}" in told(answer)["error"]["message"]


def test_a_local_file_is_sent_and_checked(laptop: Laptop, box: LabHost) -> None:
    local = laptop.home / "Miniconda3-own.sh"
    local.hardlink_to(laptop.installer.path)
    before = laptop.web.requests[path_of(laptop)]
    laptop.playbook(miniconda={"installer": str(local)})
    assert laptop.type("up").code == 0
    assert laptop.web.requests[path_of(laptop)] == before

    box.run(f"rm -rf {PREFIX} /home/ubuntu/.provision")
    local.unlink()
    local.write_bytes(PORTAL)
    refused(laptop.type("up", "--json"), box, "Miniconda3-own.sh", "expected", laptop.installer.sha256)


def test_a_host_without_a_way_out_gets_the_file_from_us_fetched_once_for_all(site: Site, laptop: Laptop) -> None:
    fleet = site.lab.fleet(["one", "two", "three"], without=("curl", "wget", "python3"))
    laptop.hosts(fleet)
    laptop.playbook()
    before = laptop.web.requests[path_of(laptop)]
    answer = laptop.type("up", "all", "--json")
    assert answer.code == 0, answer
    assert laptop.web.requests[path_of(laptop)] - before == 1
    for host in fleet:
        assert told(answer, host.name)["outcome"] == "changed"
        assert host.run(f"{PREFIX}/bin/conda --version").stdout.startswith("conda 26.7.1")


@pytest.mark.usefixtures("box")
def test_an_installer_without_checksum_is_pinned_at_first_use_and_a_changed_one_is_refused(
    site: Site, laptop: Laptop
) -> None:
    local = laptop.home / "Miniconda3-own.sh"
    local.hardlink_to(laptop.installer.path)
    laptop.playbook(miniconda={"installer": str(local), "sha256": None})
    pins = laptop.project / "playbooks/installers.pinned.json"
    plan = laptop.type("plan")
    assert "pin and download Miniconda3-own.sh" in plan.out, plan
    assert not pins.exists()

    first = laptop.type("up")
    assert first.code == 0, first
    assert laptop.installer.sha256 in first.err + first.out
    assert json.loads(pins.read_text()) == {"Miniconda3-own.sh": laptop.installer.sha256}

    other = site.lab.host("other")
    laptop.hosts([other])
    local.unlink()
    local.write_bytes(laptop.installer.path.read_bytes() + b"\n")
    changed = laptop.type("up", "--json")
    assert changed.code == 4, changed
    assert laptop.installer.sha256 in told(changed, "other")["error"]["message"]
    assert other.run(f"test -e {PREFIX}").returncode == 1


def test_an_installer_by_http_without_checksum_is_refused_before_connecting(laptop: Laptop, box: LabHost) -> None:
    laptop.playbook(miniconda={"sha256": None})
    before = box.connections()
    answer = laptop.type("up")
    assert answer.code == 2, answer
    assert "playbooks/training.yaml:" in answer.err
    assert "comes over http: give its 'sha256' too" in answer.err
    assert box.connections() == before


def test_a_version_without_checksum_from_an_http_mirror_is_refused_before_anything_is_downloaded(
    laptop: Laptop, box: LabHost
) -> None:
    mirror(laptop, {"installer": laptop.web.url})
    laptop.playbook(miniconda={"installer": None, "sha256": None, "version": "py311_23.1.0-1"})
    before = sum(laptop.web.requests.values())
    answer = laptop.type("up", "--json")
    assert answer.code == 5, answer
    assert codes(answer) == ["INSTALLER-UNPINNED"]
    assert sum(laptop.web.requests.values()) == before
    assert box.run("test -e /home/ubuntu/.provision").returncode == 1


@pytest.mark.usefixtures("box")
def test_a_version_that_names_no_installer_is_told_and_never_passes_as_converged(laptop: Laptop) -> None:
    laptop.playbook(miniconda={"installer": None, "sha256": None, "version": "24.1.2"})
    answer = laptop.type("up", "--json")
    assert answer.code == 5, answer
    assert codes(answer) == ["CONDA-VERSION"]
