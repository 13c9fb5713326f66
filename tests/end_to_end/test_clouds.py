"""A fleet that three clouds know: found, provisioned at once, moved, stopped, and one region gone."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.ec2.models import ec2_backends
from moto.server import ThreadedMotoServer

from tests.clouds.stand_ins import KEY, SECRET, StandIn, compute_engine, ecs, ecs_instance, gce

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.laptop import Answer, Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
ACCOUNT, REGION = "123456789012", "us-east-1"


@dataclass
class Clouds:
    """Three clouds with a machine each."""

    aws: str
    aws_id: str
    gcp: StandIn
    aliyun: StandIn
    laptop: Laptop

    def type(self, *words: str) -> Answer:
        self.laptop.env = {
            "AWS_ACCESS_KEY_ID": "AKIASTANDIN",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
            # The vendors' libraries warn of things to come; nothing of ours does.
            "PYTHONWARNINGS": "default",
        }
        answer = self.laptop.type(*words)
        assert SECRET not in answer.out + answer.err
        kept = [path for path in self.laptop.home.rglob("*") if path.is_file() and not path.is_symlink()]
        # Logs, the ledger, what is kept of the clouds, records of jobs: whatever a command leaves behind.
        assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
        return answer

    def moved(self, address: str) -> None:
        """Give the machine at AWS another address."""
        ec2_backends[ACCOUNT][REGION].get_instance(self.aws_id).nics[0].public_ip = address


@pytest.fixture
def boxes(lab: Lab) -> list[LabHost]:
    return [lab.host("a"), lab.host("b"), lab.host("c")]


@pytest.fixture
def clouds(laptop: Laptop, boxes: list[LabHost], monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTANDIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()  # noqa: S310 - ours
    client = boto3.client("ec2", region_name=REGION, endpoint_url=url)
    image = client.describe_images(Filters=[{"Name": "name", "Values": ["ubuntu*"]}])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "at-aws"}]}]
    made = client.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", TagSpecifications=tags)
    with ExitStack() as stack:
        gcp, aliyun = stack.enter_context(compute_engine()), stack.enter_context(ecs())
        clouds = Clouds(url, made["Instances"][0]["InstanceId"], gcp, aliyun, laptop)
        clouds.moved(boxes[0].address)
        faces = [{"networkIP": boxes[1].address}]
        gcp.instances = [gce(1, name="at-gcp", networkInterfaces=faces)]
        aliyun.instances = [at_aliyun(boxes[2].address)]
        (laptop.project / "hosts.yaml").write_text(f"""version: 1
defaults: {{playbook: training, identity_file: {boxes[0].key_path}, user: {boxes[0].user}}}
sources:
  - {{cloud: aws, regions: [{REGION}], endpoint: '{url}', group: rented}}
  - {{cloud: gcp, project: lab, endpoint: '{gcp.url}', address: private, group: rented}}
  - {{cloud: aliyun, regions: [cn-hangzhou], endpoint: '{aliyun.url}', group: rented}}
""")
        try:
            yield clouds
        finally:
            server.stop()


def at_aliyun(address: str, **more: Any) -> dict[str, Any]:
    there: dict[str, Any] = {"PublicIpAddress": {"IpAddress": [address]}, "GPUAmount": 0, "GPUSpec": ""}
    return ecs_instance(1, InstanceName="at-aliyun", **there, **more)


def outcomes(answer: Answer) -> dict[str, str]:
    return {name: one["outcome"] for name, one in answer.document["hosts"].items()}


def test_a_fleet_of_three_clouds_is_provisioned_moved_and_stopped(clouds: Clouds, boxes: list[LabHost]) -> None:
    answer = clouds.type("up", "all", "--json")
    assert answer.code == 0, answer
    assert outcomes(answer) == dict.fromkeys(("at-aws", "at-gcp", "at-aliyun"), "changed")

    # A region that fails leaves its host as it was last seen, and the others as they are now.
    clouds.aliyun.fault = lambda *_: (403, {"Code": "Forbidden.RAM", "Message": "no", "RequestId": "R"})
    answer = clouds.type("hosts", "rented", "--refresh", "--json")
    assert answer.code == 0, answer
    assert set(outcomes(answer)) == {"at-aws", "at-gcp", "at-aliyun"}
    assert "aliyun cn-hangzhou: Alibaba Cloud refused: Forbidden.RAM" in answer.err
    assert "as they were" in answer.err
    clouds.aliyun.fault = lambda *_: None

    # Another address, the same machine: no question about its key, nothing to do.
    second = f"198.19.7.{boxes[0].address.rpartition('.')[2]}"
    boxes[0].run(f"ip addr add {second}/32 dev lo", check=True)
    subprocess.run(["ip", "route", "add", second, "via", boxes[0].address], check=True)
    clouds.moved(second)
    clouds.gcp.instances[0]["status"] = "TERMINATED"
    assert clouds.type("hosts", "--refresh", "--json").code == 3
    answer = clouds.type("up", "rented", "--json")
    assert answer.code == 3, answer
    assert outcomes(answer) == {"at-aws": "converged", "at-gcp": "unreachable", "at-aliyun": "converged"}
    error = answer.document["hosts"]["at-gcp"]["error"]
    assert error["kind"] == "stopped"
    assert "provision power on at-gcp" in error["hint"]


def test_power_off_refuses_while_a_job_runs_and_power_on_brings_the_host_back(
    clouds: Clouds, boxes: list[LabHost]
) -> None:
    assert clouds.type("up", "at-aliyun").code == 0
    launched = clouds.type("run", "--detach", "at-aliyun", "--", "sleep", "200")
    job = launched.out.strip()
    assert launched.code == 0, launched
    refused = clouds.type("power", "off", "at-aliyun", "--yes")
    assert refused.code == 6, refused
    assert job in refused.err
    assert clouds.aliyun.instances[0]["Status"] == "Running"
    assert clouds.type("stop", job).code == 0
    unasked = clouds.type("power", "off", "at-aliyun")
    assert unasked.code == 2, unasked
    assert "--yes" in unasked.err
    assert clouds.aliyun.instances[0]["Status"] == "Running"

    answer = clouds.type("power", "off", "at-aliyun", "--yes")
    assert answer.code == 0, answer
    assert answer.out.startswith("at-aliyun: stopped")
    assert clouds.aliyun.instances[0]["Status"] == "Stopped"
    (stop,) = [arguments for action, arguments in clouds.aliyun.asked if action == "StopInstance"]
    assert stop["StoppedMode"] == "StopCharging"
    assert not [action for action, _ in clouds.aliyun.asked if action.startswith("Delete")]
    told = clouds.type("exec", "at-aliyun", "--", "true")
    assert told.code == 3, told
    assert "at-aliyun is stopped" in told.err

    # A run may start what it needs; what runs already is left alone.
    clouds.aliyun.asked.clear()
    answer = clouds.type("up", "at-aliyun", "at-aws", "--power-on", "--json")
    assert answer.code == 0, answer
    assert outcomes(answer)["at-aliyun"] == "converged"
    assert len([action for action, _ in clouds.aliyun.asked if action == "StartInstance"]) == 1
    assert clouds.type("power", "off", "at-aliyun", "--yes").code == 0

    answer = clouds.type("power", "on", "at-aliyun", "at-aws", "--json")
    assert answer.code == 0, answer
    assert answer.document["hosts"]["at-aliyun"]["address"] == boxes[2].address
    assert clouds.type("exec", "at-aliyun", "--", "true").code == 0


def test_a_host_of_no_cloud_cannot_be_stopped(clouds: Clouds) -> None:
    text = (clouds.laptop.project / "hosts.yaml").read_text()
    (clouds.laptop.project / "hosts.yaml").write_text(text + "hosts: {own: {address: 192.0.2.1}}\n")
    answer = clouds.type("power", "off", "own", "at-aliyun", "--yes")
    assert answer.code == 2, answer
    assert "own is no machine of a cloud" in answer.err
    assert clouds.aliyun.instances[0]["Status"] == "Running"


def test_a_machine_that_its_own_shutdown_would_terminate_is_not_armed(clouds: Clouds) -> None:
    machine = ec2_backends[ACCOUNT][REGION].get_instance(clouds.aws_id)
    machine.instance_initiated_shutdown_behavior = "terminate"
    answer = clouds.type("power", "off", "at-aws", "--when-idle", "30m", "--on-host", "--yes")
    assert answer.code == 2, answer
    assert "at-aws would be terminated by a shutdown of its own: nothing was armed" in answer.err


def test_a_key_that_the_cloud_shows_needs_no_trust_on_first_use_and_another_one_is_refused(
    clouds: Clouds, boxes: list[LabHost]
) -> None:
    words = ("exec", "--host-keys", "strict")
    refused = clouds.type(*words, "at-gcp", "--", "true")
    assert refused.code == 3, refused
    assert "refused with host keys strict" in refused.err
    clouds.gcp.host_keys = [line.split()[2] for line in boxes[1].known_hosts_lines.splitlines()]
    answer = clouds.type(*words, "at-gcp", "--", "true")
    assert answer.code == 0, answer
    assert "is the one that its cloud shows; recorded" in answer.err
    assert clouds.type(*words, "at-gcp", "--", "true").code == 0

    block = "-----BEGIN SSH HOST KEY KEYS-----\nci-info: {}-----END SSH HOST KEY KEYS-----\nlogin: "
    keys = ["".join(f"{' '.join(line.split()[1:])}\n" for line in one.known_hosts_lines.splitlines()) for one in boxes]
    clouds.aliyun.console = block.format(keys[0])
    refused = clouds.type("exec", "at-aliyun", "--", "true")
    assert refused.code == 3, refused
    assert "its cloud another: SHA256:" in refused.err
    assert "provision trust at-aliyun --fingerprint SHA256:" in refused.err
    clouds.aliyun.console = block.format(keys[2])
    assert clouds.type(*words, "at-aliyun", "--", "true").code == 0


def test_a_spot_host_that_is_taken_away_in_the_middle_fails_alone_and_is_told_as_gone(
    clouds: Clouds, boxes: list[LabHost]
) -> None:
    clouds.type("hosts", "--json")
    running = clouds.laptop.start("up", "rented")
    # It builds its environment now: that is when the cloud takes it.
    deadline = time.monotonic() + 60
    while boxes[2].run("ls /home/ubuntu/miniconda3/bin/conda").returncode and time.monotonic() < deadline:
        time.sleep(0.05)
    clouds.aliyun.instances.clear()
    boxes[2].stop_sshd()
    boxes[2].reset_connections()
    out, _ = running.communicate(timeout=200)
    assert running.returncode == 3, out
    # Its cloud forgot it while the run went on: nobody waits for it, and the others are done.
    assert "at-aliyun is gone, its cloud says: aliyun cn-hangzhou i-" in out
    assert "provision hosts --refresh" in out
    again = clouds.type("hosts", "--refresh", "--json")
    assert set(outcomes(again)) == {"at-aws", "at-gcp"}
    again = clouds.type("up", "rented", "--json")
    assert set(outcomes(again)) == {"at-aws", "at-gcp"}
    assert again.code == 0, again
