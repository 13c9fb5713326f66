"""What clouds find joins what hosts.yaml lists, as a user sees it on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from provision.cli import hosts_list
from provision.cli.workspace import Workspace
from provision.clouds.asking import ask
from provision.clouds.joining import joined, query_of
from provision.clouds.naming import hosts
from provision.errors import StoppedError, UsageError
from provision.inventory import parse_inventory
from provision.ssh.connection import Connection
from tests.clouds.stand_ins import SECRET, compute_engine, ecs, ecs_instance, gce

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clouds.stand_ins import StandIn


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write(project: Path, cloud: StandIn, more: str = "", source: str = "") -> None:
    (project / "hosts.yaml").write_text(
        f"version: 1\ndefaults: {{identity_file: ~/.ssh/none}}\n{more}\n"
        f"sources:\n  - {{cloud: aliyun, regions: [cn-hangzhou], endpoint: '{cloud.url}'{source}}}\n"
    )


def listed(*words: str) -> Any:
    return hosts_list.main("hosts", ["--offline", *words])


def test_the_table_shows_cloud_instance_type_state_price_and_age(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ecs() as cloud:
        cloud.instances = [
            ecs_instance(1),
            ecs_instance(2, Status="Stopped", SpotStrategy="SpotAsPriceGo", InstanceName="ali\x1b[31m evil"),
        ]
        write(project, cloud, more="hosts: {own: {address: 192.0.2.9}}", source=", group: train")
        Workspace.open(None)
        capsys.readouterr()
        assert listed() == 0
        assert len(cloud.asked) == 1, "--offline asked a cloud"
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[4:10] == ["cloud", "instance", "type", "state", "price", "age"]
    assert [one.split()[0] for one in rows] == ["own", "ecs-1", "ali-31m-evil"]
    assert "aliyun cn-hangzhou-i" in rows[1]
    assert "running" in rows[1]
    assert "on demand" in rows[1]
    assert "train" in rows[1]
    assert "stopped" in rows[2]
    assert "spot" in rows[2]


def test_json_says_of_each_host_what_its_cloud_says(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ecs() as cloud:
        cloud.instances = [ecs_instance(1)]
        write(project, cloud)
        Workspace.open(None)
        assert listed("--json") == 0
    out = capsys.readouterr().out
    assert SECRET not in out
    (host,) = json.loads(out)["hosts"].values()
    assert host["cloud"]["instance"] == "i-bp000001"
    assert host["cloud"]["state"] == "running"
    assert host["user"] == "root"


def test_a_new_address_updates_the_host_of_the_file_and_makes_no_second_one(project: Path) -> None:
    with ecs() as cloud:
        cloud.instances = [ecs_instance(1)]
        own = "hosts: {mine: {address: 192.0.2.1, user: me, provider: {cloud: aliyun, instance: i-bp000001}}}"
        write(project, cloud, more=own)
        space = Workspace.open(None)
    assert space.inventory.hosts == ("mine",)
    host = space.host("mine")
    assert (host.address, host.user, host.expect.gpus) == ("198.51.100.1", "me", 1)


def test_what_the_file_says_goes_before_what_a_cloud_suggests(project: Path) -> None:
    with ecs() as cloud:
        cloud.instances = [ecs_instance(1)]
        write(project, cloud, more="groups: {train: {hosts: ['ecs-*'], user: trainer, expect: {gpus: 4}}}")
        host = Workspace.open(None).host("ecs-1")
    assert (host.user, host.expect.gpus, host.groups) == ("trainer", 4, ("train",))


def test_a_stopped_host_is_told_before_anybody_dials(project: Path) -> None:
    with ecs() as cloud:
        cloud.instances = [ecs_instance(1, Status="Stopped", PublicIpAddress={"IpAddress": []})]
        write(project, cloud)
        space = Workspace.open(None)
    from provision.cli.workspace import settings

    with pytest.raises(StoppedError, match="ecs-1 is stopped: aliyun cn-hangzhou i-bp000001") as caught:
        Connection(space.route(space.host("ecs-1")), settings("strict"))
    assert "provision power on ecs-1" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["own", "OWN"])
def test_a_name_that_the_file_has_already_names_both(project: Path, name: str) -> None:
    with ecs() as cloud:
        cloud.instances = [ecs_instance(1, InstanceName=name)]
        write(project, cloud, more="hosts: {own: {address: 192.0.2.9}}")
        with pytest.raises(UsageError, match=r"'own' of the inventory and aliyun cn-hangzhou i-bp000001"):
            Workspace.open(None)


def test_a_cloud_that_is_down_leaves_the_hosts_of_the_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ecs() as cloud:
        cloud.fault = lambda *_: (403, {"Code": "Forbidden.RAM", "Message": "no", "RequestId": "R"})
        write(project, cloud, more="hosts: {own: {address: 192.0.2.9}}")
        assert Workspace.open(None).inventory.hosts == ("own",)
    said = capsys.readouterr().err
    assert said.splitlines()[0] == "aliyun cn-hangzhou: Alibaba Cloud refused: Forbidden.RAM: code: 403, no"
    assert "policy" in said


def test_an_address_that_is_none_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ecs() as cloud:
        cloud.instances = [ecs_instance(1, PublicIpAddress={"IpAddress": ["$(reboot)"]})]
        write(project, cloud, more="hosts: {own: {address: 192.0.2.9}}")
        assert Workspace.open(None).inventory.hosts == ("own",)
    assert "cannot read" in capsys.readouterr().err


@pytest.mark.soak
def test_five_thousand_instances_over_twenty_regions_are_listed(project: Path) -> None:
    many(project, 5000, 20)


def test_many_instances_over_several_regions_are_listed(project: Path) -> None:
    many(project, 600, 4)


def many(project: Path, number: int, regions: int) -> None:
    names = [f"cn-region-{one}" for one in range(regions)]
    with ecs() as cloud, compute_engine() as other:
        cloud.instances = [ecs_instance(one, region=names[one % regions]) for one in range(number)]
        other.instances = [gce(one, zone=f"us-{one % 7}x-a") for one in range(number // 10)]
        text = f"""version: 1
sources:
  - {{cloud: aliyun, regions: [{", ".join(names)}], endpoint: '{cloud.url}', name: '{{name}}-{{region}}'}}
  - {{cloud: gcp, project: lab, endpoint: '{other.url}', labels: {{role: train}}}}
"""
        (project / "hosts.yaml").write_text(text)
        space = Workspace.open(None)
        assert len(space.inventory.hosts) == number + number // 10
        asked = len(cloud.asked) + len(other.asked)
        Workspace.open(None)
        assert len(cloud.asked) + len(other.asked) == asked
        assert asked == sum(-(-(number // regions) // 100) for _ in names) + 1


def test_two_sources_that_find_one_machine_make_one_host() -> None:
    with ecs() as cloud:
        cloud.instances = [ecs_instance(1)]
        source = f"{{cloud: aliyun, regions: [cn-hangzhou], endpoint: '{cloud.url}', group: %s}}"
        text = f"version: 1\nsources:\n  - {source % 'a'}\n  - {source % 'b'}\n"
        inventory = parse_inventory(text)
        found = ask([query_of(one) for one in inventory.file.sources], {"HOME": "/nonexistent"})
    whole = joined(inventory, [host for one in found for host in hosts(one.query, one.instances)])
    assert whole.hosts == ("ecs-1",)
    assert whole.groups_of("ecs-1") == ("a", "b")
