"""Local servers that answer as Compute Engine and ECS do, by their public API references; one fault at a time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY, SECRET = "LTAI-stand-in", "a-secret-nobody-may-see"
PAGE_OF_ECS = 100


@dataclass
class StandIn:
    """A running stand-in: what it was asked, and how it fails."""

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    instances: list[dict[str, Any]] = field(default_factory=list)
    console: str = ""
    """What the serial console of every machine printed."""
    host_keys: list[str] = field(default_factory=list)
    """Public keys that the guest wrote, in base64."""
    fault: Callable[[str, dict[str, str]], tuple[int, Any] | None] = lambda _path, _arguments: None
    """Given path and arguments: an answer of its own (status, JSON value or bytes), or nothing."""


@contextmanager
def _serving(stand_in: StandIn, handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[StandIn]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, status: int, value: Any) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def compute_engine(page: int = 500) -> Iterator[StandIn]:
    """Serve ``aggregated/instances``, ``machineTypes``, start, stop and the serial port of one project."""
    stand_in = StandIn()

    class Handler(_Handler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            arguments = dict(urllib.parse.parse_qsl(query))
            stand_in.asked.append((path, arguments))
            fault = stand_in.fault(path, arguments)
            if fault is not None:
                self.answer(*fault)
            elif path.endswith("/aggregated/instances"):
                self.answer(200, _aggregated(stand_in.instances, arguments, page))
            elif path.endswith("/serialPort"):
                self.answer(200, {"contents": stand_in.console, "start": "0", "next": "0"})
            elif path.endswith("/getGuestAttributes") and stand_in.host_keys:
                items = [{"namespace": "hostkeys", "key": "any", "value": one} for one in stand_in.host_keys]
                self.answer(200, {"queryPath": "hostkeys/", "queryValue": {"items": items}})
            elif "/machineTypes/" in path:
                cards = [{"guestAcceleratorType": "nvidia-h100-80gb", "guestAcceleratorCount": 8}]
                self.answer(200, {"name": path.rpartition("/")[2], "accelerators": cards if "/a3-" in path else []})
            else:
                self.answer(404, {"error": {"code": 404, "message": f"{path} was not found", "errors": []}})

        def do_POST(self) -> None:
            path = self.path.partition("?")[0]
            stand_in.asked.append((path, {}))
            name, _, what = path.rpartition("/")
            for one in stand_in.instances:
                if name.endswith((f"/{one['id']}", f"/{one['name']}")):
                    one["status"] = "RUNNING" if what == "start" else "TERMINATED"
            self.answer(200, {"kind": "compute#operation", "status": "DONE"})

    with _serving(stand_in, Handler):
        yield stand_in


def _aggregated(instances: list[dict[str, Any]], arguments: dict[str, str], page: int) -> dict[str, Any]:
    assert arguments["returnPartialSuccess"] == "true"
    start = int(arguments.get("pageToken") or 0)
    size = min(page, int(arguments["maxResults"]))
    items: dict[str, Any] = {"zones/us-west1-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
    for one in instances[start : start + size]:
        items.setdefault(f"zones/{one['zone']}", {}).setdefault("instances", []).append(one)
    more = {"nextPageToken": str(start + size)} if start + size < len(instances) else {}
    return {"kind": "compute#instanceAggregatedList", "items": items, **more}


def gce(number: int, *, zone: str = "us-central1-a", kind: str = "n1-standard-8", **more: Any) -> dict[str, Any]:
    """Return an instance as Compute Engine describes it."""
    base = "https://www.googleapis.com/compute/v1/projects/lab"
    return {
        "id": str(7_000_000_000 + number),
        "name": f"gce-{number}",
        "zone": zone,
        "machineType": f"{base}/zones/{zone}/machineTypes/{kind}",
        "status": "RUNNING",
        "creationTimestamp": "2026-11-01T10:00:00.000-07:00",
        "networkInterfaces": [
            {
                "networkIP": f"10.0.{number // 250}.{number % 250}",
                "accessConfigs": [{"natIP": f"203.0.113.{number % 250}"}],
            }
        ],
        "scheduling": {"provisioningModel": "STANDARD"},
        "labels": {"role": "train"},
        **more,
    }


@contextmanager
def ecs() -> Iterator[StandIn]:
    """Serve DescribeInstances, DescribeRegions, StartInstance, StopInstance; every signature is checked."""
    stand_in = StandIn()

    class Handler(_Handler):
        def do_POST(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            arguments = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            action = self.headers.get("x-acs-action", "")
            stand_in.asked.append((action, arguments))
            wrong = _wrong_signature(self.command, path, arguments, dict(self.headers.items()), body)
            if wrong:
                self.answer(400, {"Code": "SignatureDoesNotMatch", "Message": wrong, "RequestId": "R"})
                return
            fault = stand_in.fault(action, arguments)
            if fault is not None:
                self.answer(*fault)
            elif action == "DescribeRegions":
                self.answer(200, {"Regions": {"Region": [{"RegionId": "cn-beijing"}, {"RegionId": "cn-hangzhou"}]}})
            elif action == "DescribeInstances":
                self.answer(200, _page(stand_in.instances, arguments))
            elif action == "GetInstanceConsoleOutput":
                text = base64.b64encode(stand_in.console.encode()).decode()
                self.answer(200, {"ConsoleOutput": text, "InstanceId": arguments["InstanceId"]})
            elif action in {"StartInstance", "StopInstance"}:
                for one in stand_in.instances:
                    if one["InstanceId"] == arguments["InstanceId"]:
                        one["Status"] = "Running" if action == "StartInstance" else "Stopped"
                self.answer(200, {"RequestId": "R"})
            else:
                self.answer(404, {"Code": "InvalidAction.NotFound", "Message": action, "RequestId": "R"})

    with _serving(stand_in, Handler):
        yield stand_in


def _page(instances: list[dict[str, Any]], arguments: dict[str, str]) -> dict[str, Any]:
    ids = json.loads(arguments.get("InstanceIds", "null"))
    held = [
        one
        for one in instances
        if one["RegionId"] == arguments["RegionId"] and (ids is None or one["InstanceId"] in ids)
    ]
    start = int(arguments.get("NextToken") or 0)
    size = min(PAGE_OF_ECS, int(arguments.get("MaxResults") or 10))
    more = {"NextToken": str(start + size)} if start + size < len(held) else {"NextToken": ""}
    return {"Instances": {"Instance": held[start : start + size]}, "TotalCount": 0, "RequestId": "R", **more}


def ecs_instance(number: int, *, region: str = "cn-hangzhou", **more: Any) -> dict[str, Any]:
    """Return an instance as ECS describes it."""
    return {
        "InstanceId": f"i-bp{number:06}",
        "InstanceName": f"ecs-{number}",
        "RegionId": region,
        "ZoneId": f"{region}-i",
        "Status": "Running",
        "InstanceType": "ecs.gn7i-c8g1.2xlarge",
        "GPUAmount": 1,
        "GPUSpec": "NVIDIA A10",
        "OSName": "Ubuntu 22.04 64-bit",
        "ImageId": "ubuntu_22_04_x64_20G",
        "SpotStrategy": "NoSpot",
        "InstanceChargeType": "PostPaid",
        "CreationTime": "2026-11-01T10:00Z",
        "PublicIpAddress": {"IpAddress": [f"198.51.100.{number % 250}"]},
        "EipAddress": {"IpAddress": ""},
        "VpcAttributes": {"PrivateIpAddress": {"IpAddress": [f"172.16.{number // 250}.{number % 250}"]}},
        "Tags": {"Tag": [{"TagKey": "role", "TagValue": "train"}]},
        **more,
    }


def _wrong_signature(method: str, path: str, arguments: dict[str, str], headers: dict[str, str], body: bytes) -> str:
    """Return what is wrong with an ACS3-HMAC-SHA256 signature ("V3 request structure and signature"); else nothing."""
    low = {name.lower(): value for name, value in headers.items()}
    given = low.get("authorization", "")
    if not given.startswith("ACS3-HMAC-SHA256 "):
        return f"not signed as ACS3-HMAC-SHA256: {given[:40]}"
    parts = dict(one.split("=", 1) for one in given.removeprefix("ACS3-HMAC-SHA256 ").split(","))
    if parts["Credential"] != KEY:
        return "another key"
    if low["x-acs-content-sha256"] != hashlib.sha256(body).hexdigest():
        return "the body is another one"
    if low.get("x-acs-version") != "2014-05-26":
        return f"version {low.get('x-acs-version')}"
    names = parts["SignedHeaders"].split(";")
    for needed in ("host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"):
        if needed not in names:
            return f"{needed} is not signed"
    quote = urllib.parse.quote
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/"),
            "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in sorted(arguments.items())),
            "".join(f"{name}:{low[name].strip()}\n" for name in names),
            parts["SignedHeaders"],
            low["x-acs-content-sha256"],
        ]
    )
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    wanted = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return "" if hmac.compare_digest(wanted, parts["Signature"]) else "the signature is another one"
