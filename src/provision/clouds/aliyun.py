"""ECS of Alibaba Cloud: instances of one region, page by page, signed by the vendor's core library.

Source of every field: DescribeInstances, DescribeRegions, GetInstanceConsoleOutput, StartInstance and StopInstance of
the ECS API reference, version 2014-05-26. The typed ECS library is left out: importing it takes seconds
(docs/decisions/clouds.md).
"""

from __future__ import annotations

import base64
import json
import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from provision.clouds.failing import CloudError, ThrottledError, patiently
from provision.clouds.instance import Instance, made
from provision.clouds.logins import aliyun_user
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.clouds.query import Query

PAGE = 100
"""Instances of one page, the most that DescribeInstances gives (MaxResults)."""
_FIRST = "cn-hangzhou"
"""The region that is asked which regions there are."""
_STATES = {
    "Pending": "starting",
    "Starting": "starting",
    "Running": "running",
    "Stopping": "stopping",
    "Stopped": "stopped",
}
_PASSING = ("Throttling", "ServiceUnavailable", "InternalError", "UnknownError", "LastTokenProcessing")


class Ecs:
    """ECS by the usual credentials of Alibaba Cloud: environment, CLI profiles, credentials file, RAM role."""

    def __init__(self, query: Query) -> None:
        """Find the credentials.

        Raises:
            UsageError: the libraries are not installed.
            CloudError: there are no credentials.
        """
        try:
            from alibabacloud_credentials.client import Client as Credentials
            from alibabacloud_credentials.provider import CLIProfileCredentialsProvider
            from alibabacloud_tea_openapi.client import Client  # noqa: F401 - told here where it is missing
        except ImportError as error:
            raise UsageError(
                "asking Alibaba Cloud needs alibabacloud-tea-openapi, which is not installed",
                hint="pip install 'provision-gpu[aliyun]'",
            ) from error
        self._query = query
        provider = CLIProfileCredentialsProvider(profile_name=query.profile) if query.profile else None
        try:
            self._credentials = Credentials(provider=provider) if provider else Credentials()
            self._credentials.get_credential()
        except Exception as error:  # noqa: BLE001 - by provider the library raises its own, Tea's or a bare one
            raise CloudError(
                f"no Alibaba Cloud credentials were found: {type(error).__name__}",
                hint="aliyun configure, ALIBABA_CLOUD_PROFILE, or ALIBABA_CLOUD_ACCESS_KEY_ID and ..._SECRET",
            ) from None

    def regions(self) -> tuple[str, ...]:
        """Return the regions to ask: those of the source, the environment's, or all of them.

        Raises:
            CloudError: there is none to be had.
        """
        if self._query.regions:
            return self._query.regions
        own = os.environ.get("ALIBABA_CLOUD_REGION_ID")
        if own:
            return (own,)
        answer = self._ask(_FIRST, "DescribeRegions", {})
        return tuple(sorted(str(one["RegionId"]) for one in _held(answer, "Regions", "Region") if "RegionId" in one))

    def instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """Yield the pages of a region's instances.

        Raises:
            CloudError: the region does not answer, or refuses.
        """
        arguments = {"RegionId": region, "MaxResults": str(PAGE)}
        for number, (key, value) in enumerate(self._query.tags, 1):
            arguments[f"Tag.{number}.Key"] = key
            if value != "*":
                arguments[f"Tag.{number}.Value"] = value
        token = ""
        while True:
            page = self._ask(region, "DescribeInstances", {**arguments, **({"NextToken": token} if token else {})})
            if not isinstance(page.get("Instances"), dict):
                # An empty region says so with an empty list: this is no answer, and must not look like one.
                raise CloudError(f"Alibaba Cloud {region} answered without a list of instances")
            found = (_instance(one, region) for one in _held(page, "Instances", "Instance"))
            yield tuple(one for one in found if one.state in self._query.states and self._is_named(one.name))
            token = str(page.get("NextToken") or "")
            if not token:
                return

    def one(self, region: str, instance: str) -> Instance | None:
        """Return how an instance stands now; ``None`` where the region does not know it."""
        asked = {"RegionId": region, "InstanceIds": json.dumps([instance])}
        found = _held(self._ask(region, "DescribeInstances", asked), "Instances", "Instance")
        return _instance(found[0], region) if found else None

    def console(self, region: str, instance: str) -> str:
        """Return what the instance's serial console printed."""
        answer = self._ask(region, "GetInstanceConsoleOutput", {"RegionId": region, "InstanceId": instance})
        try:
            return base64.b64decode(str(answer.get("ConsoleOutput") or "")).decode("utf-8", "replace")
        except ValueError:
            return ""

    def ends_when_shut_down(self, region: str, instance: str) -> bool:  # noqa: ARG002 - the interface
        """Return that it is never so: this cloud keeps what was shut down."""
        return False

    def guest_host_keys(self, region: str, instance: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return none: this cloud has no such records."""
        return ()

    def start(self, region: str, instance: str) -> None:
        """Start a stopped instance."""
        self._ask(region, "StartInstance", {"InstanceId": instance})

    def stop(self, region: str, instance: str) -> None:
        """Stop an instance so that its computing is not billed; it can be started again."""
        self._ask(region, "StopInstance", {"InstanceId": instance, "StoppedMode": "StopCharging"})

    def _is_named(self, name: str) -> bool:
        return not self._query.names or any(fnmatchcase(name, glob) for glob in self._query.names)

    def _ask(self, region: str, action: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        return patiently(lambda: self._once(region, action, arguments))

    def _once(self, region: str, action: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        from alibabacloud_tea_openapi import models
        from alibabacloud_tea_openapi.client import Client
        from darabonba.runtime import RuntimeOptions
        from Tea.exceptions import TeaException

        endpoint = self._query.endpoint or f"https://ecs.{region}.aliyuncs.com"
        scheme, _, place = endpoint.rpartition("://")
        config = models.Config(
            credential=self._credentials,
            region_id=region,
            endpoint=place.rstrip("/"),
            protocol=(scheme or "https").upper(),
            connect_timeout=8000,
            read_timeout=30000,
        )
        params = models.Params(
            action=action,
            version="2014-05-26",
            protocol=(scheme or "https").upper(),
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        try:
            answer = Client(config).call_api(
                params, models.OpenApiRequest(query=dict(arguments)), RuntimeOptions(autoretry=False)
            )
        except TeaException as error:
            raise _failure(error) from None
        except (OSError, ValueError) as error:
            # requests' errors are OSErrors; a body that is no JSON is a ValueError.
            raise ThrottledError(f"Alibaba Cloud does not answer: {type(error).__name__}") from None
        body = answer.get("body") if isinstance(answer, dict) else None
        return body if isinstance(body, dict) else {}


def _failure(error: Any) -> CloudError:
    code = str(getattr(error, "code", "") or "")
    text = str(getattr(error, "message", "") or "").partition(" request id")[0][:300]
    if not code or code in {"UnretryableException", "SDK.ServerUnreachable"}:
        return ThrottledError("Alibaba Cloud does not answer")
    kind = ThrottledError if code.startswith(_PASSING) else CloudError
    hint = None
    if code.startswith("Forbidden"):
        hint = "docs/how-to/clouds.md has the policy that it needs"
    elif code.startswith(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurityToken")):
        hint = "aliyun sts GetCallerIdentity says whose credentials these are"
    return kind(f"Alibaba Cloud refused: {code}: {text}", hint=hint)


def _held(page: dict[str, Any], outer: str, inner: str) -> list[dict[str, Any]]:
    group = page.get(outer)
    held = group.get(inner) if isinstance(group, dict) else None
    return [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []


def _first(one: dict[str, Any], *way: str) -> str:
    value: Any = one
    for key in way:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) else ""


def _instance(one: dict[str, Any], region: str) -> Instance:
    model = str(one.get("GPUSpec") or "")
    try:
        return made(
            cloud="aliyun",
            region=region,
            id=one.get("InstanceId"),
            name=one.get("InstanceName") or "",
            zone=one.get("ZoneId") or "",
            type=one.get("InstanceType") or "",
            state=_STATES.get(str(one.get("Status")), "gone"),
            public=_first(one, "EipAddress", "IpAddress") or _first(one, "PublicIpAddress", "IpAddress"),
            private=_first(one, "VpcAttributes", "PrivateIpAddress", "IpAddress")
            or _first(one, "InnerIpAddress", "IpAddress"),
            spot=str(one.get("SpotStrategy") or "NoSpot") != "NoSpot",
            created=one.get("CreationTime") or "",
            image=one.get("ImageId") or "",
            user=aliyun_user(str(one.get("OSName") or "")),
            gpus=one.get("GPUAmount", 0),
            gpu_model=model.removeprefix("NVIDIA").strip(" -"),
            tags={str(tag.get("TagKey")): str(tag.get("TagValue", "")) for tag in _held(one, "Tags", "Tag")},
            billed_when_stopped=one.get("StoppedMode") == "KeepCharging" or one.get("InstanceChargeType") == "PrePaid",
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise CloudError(f"Alibaba Cloud {region} answered what provision cannot read: {error}") from None
