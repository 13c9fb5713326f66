"""Each cloud lists its hosts: paged, throttled, refused, malformed, and one region down."""

from __future__ import annotations

import os
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from provision.clouds import failing
from provision.clouds.asking import ask, open_cloud
from provision.clouds.failing import CloudError
from provision.clouds.naming import hosts
from provision.clouds.query import Query
from provision.errors import UsageError
from tests.clouds.stand_ins import SECRET, compute_engine, ecs, ecs_instance, gce

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.clouds.instance import Instance


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "LONGEST_WAIT", 0.01)


@pytest.fixture
def ec2() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()  # noqa: S310
        yield url
    finally:
        server.stop()


def launch(url: str, number: int, region: str = "us-east-1", kind: str = "g5.xlarge", **more: Any) -> list[str]:
    client = boto3.client("ec2", region_name=region, endpoint_url=url)
    image = client.describe_images(Filters=[{"Name": "name", "Values": ["ubuntu*"]}])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "train"}, *more.pop("tags", ())]}]
    made = client.run_instances(
        ImageId=image, MinCount=number, MaxCount=number, InstanceType=kind, TagSpecifications=tags, **more
    )
    return [one["InstanceId"] for one in made["Instances"]]


def found(query: Query, region: str) -> list[Instance]:
    return [one for page in open_cloud(query).instances(region) for one in page]


def test_ec2_tells_addresses_cards_image_login_and_state(ec2: str) -> None:
    (one,) = launch(ec2, 1, tags=[{"Key": "Name", "Value": "trainer 1"}])
    launch(ec2, 1, kind="t3.micro")
    query = Query("aws", ("us-east-1",), tags=(("role", "train"), ("Name", "*")), endpoint=ec2)
    (instance,) = found(query, "us-east-1")
    assert (instance.id, instance.name, instance.type, instance.state) == (one, "trainer 1", "g5.xlarge", "running")
    assert (instance.gpus, instance.gpu_model, instance.gpu_memory_gib) == (1, "A10G", 22.4)
    assert instance.public
    assert instance.private
    assert instance.user == "ubuntu"
    (host,) = hosts(query, [instance])
    assert (host.name, host.address, host.expect.gpus) == ("trainer-1", instance.public, 1)
    boto3.client("ec2", region_name="us-east-1", endpoint_url=ec2).stop_instances(InstanceIds=[one])
    (stopped,) = found(query, "us-east-1")
    assert stopped.state == "stopped"


def test_ec2_is_read_page_by_page(ec2: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.clouds.aws.PAGE", 5)
    for _ in range(12):
        launch(ec2, 1)
    pages = list(open_cloud(Query("aws", ("us-east-1",), endpoint=ec2)).instances("us-east-1"))
    assert [len(one) for one in pages] == [5, 5, 2]


def test_ec2_starts_and_stops(ec2: str) -> None:
    (one,) = launch(ec2, 1)
    cloud = open_cloud(Query("aws", ("us-east-1",), endpoint=ec2))
    cloud.stop("us-east-1", one)
    held = cloud.one("us-east-1", one)
    assert held is not None
    assert held.state == "stopped"
    cloud.start("us-east-1", one)
    held = cloud.one("us-east-1", one)
    assert held is not None
    assert held.state == "running"
    assert cloud.one("us-east-1", "i-0123456789abcdef0") is None


def test_compute_engine_tells_addresses_cards_spot_and_labels() -> None:
    with compute_engine() as gcp:
        card = {"acceleratorType": "projects/lab/zones/x/acceleratorTypes/nvidia-tesla-t4", "acceleratorCount": 4}
        gcp.instances = [
            gce(1, guestAccelerators=[card], scheduling={"provisioningModel": "SPOT"}),
            gce(2, kind="a3-highgpu-8g", status="TERMINATED", networkInterfaces=[{"networkIP": "10.0.0.2"}]),
        ]
        query = Query("gcp", project="lab", tags=(("role", "train"),), address="auto", endpoint=gcp.url)
        one, two = found(query, "lab")
        assert gcp.asked[0][1]["filter"] == '(labels.role="train")'
    assert (one.gpus, one.gpu_model, one.spot, one.state) == (4, "T4", True, "running")
    assert (two.gpus, two.gpu_model, two.spot, two.state) == (8, "H100-80GB", False, "stopped")
    assert [host.address for host in hosts(query, [one, two])] == [one.public, "10.0.0.2"]


def test_compute_engine_is_read_page_by_page_and_zones_that_are_silent_are_named() -> None:
    with compute_engine(page=40) as gcp:
        gcp.instances = [gce(number) for number in range(100)]
        query = Query("gcp", project="lab", endpoint=gcp.url)
        pages = list(open_cloud(query).instances("lab"))
        assert [len(one) for one in pages] == [40, 40, 20]

        def silent(_path: str, _arguments: dict[str, str]) -> tuple[int, Any]:
            held = {
                "zones/us-central1-a": {"instances": [gce(1)]},
                "zones/us-east1-b": {"warning": {"code": "UNREACHABLE"}},
            }
            return 200, {"items": held, "unreachables": ["projects/lab/zones/us-east1-c"]}

        gcp.fault = silent
        (answer,) = ask([query], os.environ, refresh=True)
    assert [one.name for one in answer.instances] == ["gce-1"]
    assert [str(one) for one in answer.failed.values()] == ["Google Cloud does not reach us-east1-b, us-east1-c"]


def test_ecs_is_signed_paged_and_told_in_the_same_words() -> None:
    with ecs() as aliyun:
        aliyun.instances = [ecs_instance(number) for number in range(230)]
        aliyun.instances[0].update(SpotStrategy="SpotAsPriceGo", StoppedMode="KeepCharging", Status="Stopped")
        query = Query("aliyun", ("cn-hangzhou",), tags=(("role", "train"),), endpoint=aliyun.url)
        pages = list(open_cloud(query).instances("cn-hangzhou"))
        assert aliyun.asked[0][1]["Tag.1.Value"] == "train"
    assert [len(one) for one in pages] == [100, 100, 30]
    first, second = pages[0][:2]
    assert (first.state, first.spot, first.billed_when_stopped) == ("stopped", True, True)
    assert (second.gpus, second.gpu_model, second.user, second.public) == (1, "A10", "root", "198.51.100.1")


def test_ecs_without_regions_is_asked_which_there_are() -> None:
    with ecs() as aliyun:
        aliyun.instances = [ecs_instance(1), ecs_instance(2, region="cn-beijing")]
        (answer,) = ask([Query("aliyun", endpoint=aliyun.url)], os.environ)
    assert {one.region for one in answer.instances} == {"cn-beijing", "cn-hangzhou"}
    assert not answer.failed


@pytest.mark.parametrize(
    ("status", "code"), [(400, "Throttling.User"), (503, "ServiceUnavailable"), (500, "InternalError")]
)
def test_a_throttled_question_is_asked_again(status: int, code: str) -> None:
    with ecs() as aliyun:
        aliyun.instances = [ecs_instance(1)]
        left = [3]

        def throttled(_action: str, _arguments: dict[str, str]) -> tuple[int, Any] | None:
            left[0] -= 1
            return (status, {"Code": code, "Message": "later", "RequestId": "R"}) if left[0] >= 0 else None

        aliyun.fault = throttled
        assert len(found(Query("aliyun", ("cn-hangzhou",), endpoint=aliyun.url), "cn-hangzhou")) == 1
        assert len(aliyun.asked) == 4


def test_a_refused_question_is_asked_once_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with ecs() as aliyun:
        aliyun.fault = lambda *_: (403, {"Code": "Forbidden.RAM", "Message": "not authorized", "RequestId": "R"})
        with pytest.raises(CloudError, match=r"Forbidden\.RAM") as caught:
            found(Query("aliyun", ("cn-hangzhou",), endpoint=aliyun.url), "cn-hangzhou")
        assert len(aliyun.asked) == 1
    assert SECRET not in repr(caught.value) + str(caught.value.hint)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>no</html>"),
        (200, []),
        (200, {"Instances": "none"}),
        (200, {"Instances": {"Instance": [{"InstanceId": 7}]}}),
        (200, {"Instances": {"Instance": [{"InstanceId": "i-1", "GPUAmount": "many"}]}}),
    ],
)
def test_a_malformed_answer_costs_its_region_alone(answer: tuple[int, Any]) -> None:
    with ecs() as aliyun:
        aliyun.instances = [ecs_instance(1), ecs_instance(2, region="cn-beijing")]
        aliyun.fault = lambda _, arguments: answer if arguments.get("RegionId") == "cn-beijing" else None
        (told,) = ask([Query("aliyun", ("cn-beijing", "cn-hangzhou"), endpoint=aliyun.url)], os.environ)
    assert "i-bp000001" in [one.id for one in told.instances]
    assert list(told.failed) == ["cn-beijing"]


def test_one_region_down_leaves_its_hosts_as_they_were_and_says_since_when() -> None:
    with ecs() as aliyun:
        aliyun.instances = [ecs_instance(1), ecs_instance(2, region="cn-beijing")]
        query = Query("aliyun", ("cn-beijing", "cn-hangzhou"), endpoint=aliyun.url)
        ask([query], os.environ, now=lambda: 1000.0)
        aliyun.instances[0]["PublicIpAddress"] = {"IpAddress": ["198.51.100.99"]}
        aliyun.fault = lambda _, arguments: (
            (400, {"Code": "Throttling", "Message": "x"}) if arguments["RegionId"] == "cn-beijing" else None
        )
        (told,) = ask([query], os.environ, now=lambda: 2000.0)
        assert {one.id: one.public for one in told.instances} == {
            "i-bp000001": "198.51.100.99",
            "i-bp000002": "198.51.100.2",
        }
        assert told.stale == {"cn-beijing": 1000.0}
        assert list(told.failed) == ["cn-beijing"]


def test_what_is_fresh_is_not_asked_again_and_offline_asks_nobody() -> None:
    with ecs() as aliyun:
        aliyun.instances = [ecs_instance(1)]
        query = Query("aliyun", ("cn-hangzhou",), endpoint=aliyun.url)
        (unknown,) = ask([query], os.environ, offline=True)
        assert "nothing is known" in str(next(iter(unknown.failed.values())))
        ask([query], os.environ, now=lambda: 1000.0)
        ask([query], os.environ, now=lambda: 1299.0)
        (old,) = ask([query], os.environ, offline=True, now=lambda: 99999.0)
        assert len(aliyun.asked) == 1
        assert len(old.instances) == 1
        ask([query], os.environ, refresh=True, now=lambda: 1299.0)
        ask([query], os.environ, now=lambda: 500.0)
        assert len(aliyun.asked) == 3


def test_a_name_that_two_would_have_names_both() -> None:
    with ecs() as aliyun:
        aliyun.instances = [ecs_instance(1), ecs_instance(2, InstanceName="ecs-1")]
        query = Query("aliyun", ("cn-hangzhou",), endpoint=aliyun.url)
        instances = found(query, "cn-hangzhou")
    with pytest.raises(UsageError, match=r"i-bp000001 and aliyun cn-hangzhou i-bp000002"):
        hosts(query, instances)


def test_no_credentials_is_a_line_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (told,) = ask([Query("aws", ("us-east-1",), endpoint="http://127.0.0.1:9")], os.environ)
    (failure,) = told.failed.values()
    assert "no AWS credentials" in str(failure)
    assert "aws configure" in str(failure.hint)
