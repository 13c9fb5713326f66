"""EC2: instances of one region, page by page, with the GPUs of their types and the login names of their images."""

from __future__ import annotations

from datetime import timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from provision.clouds.failing import CloudError, ThrottledError, patiently
from provision.clouds.instance import Instance, made
from provision.clouds.logins import aws_user
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.clouds.query import Query

PAGE = 1000
"""Instances of one page, the most that DescribeInstances gives (its API reference, MaxResults)."""
_TYPES = 100
"""Types of one DescribeInstanceTypes (its API reference)."""
_STATES = {
    "pending": "starting",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
    "shutting-down": "gone",
    "terminated": "gone",
}
# Error codes of throttling and of troubles that pass ("Error codes for the Amazon EC2 API", "Query API request rate").
_PASSING = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "RequestThrottled",
    "EC2ThrottledException",
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
    "RequestTimeout",
}


class Ec2:
    """EC2 by the usual credentials of boto3: environment, profiles, instance roles."""

    def __init__(self, query: Query) -> None:
        """Find the credentials.

        Raises:
            UsageError: boto3 is not installed, or no such profile.
        """
        try:
            import boto3
            import botocore.exceptions
        except ImportError as error:
            raise UsageError(
                "asking AWS needs boto3, which is not installed", hint="pip install 'provision-gpu[aws]'"
            ) from error
        self._query = query
        try:
            self._session = boto3.Session(profile_name=query.profile)
        except botocore.exceptions.ProfileNotFound as error:
            raise UsageError(
                f"AWS has no profile '{query.profile}' on this machine", hint="aws configure list-profiles"
            ) from error

    def regions(self) -> tuple[str, ...]:
        """Return the regions to ask.

        Raises:
            UsageError: none is given, and neither the profile nor the environment has one.
        """
        if self._query.regions:
            return self._query.regions
        if self._session.region_name:
            return (self._session.region_name,)
        raise UsageError("which AWS region? neither the source, the profile nor AWS_REGION names one")

    def instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """Yield the pages of a region's instances.

        Raises:
            CloudError: the region does not answer, or refuses.
        """
        client = self._client(region)
        wanted = [name for name, state in _STATES.items() if state in self._query.states]
        filters = [{"Name": "instance-state-name", "Values": wanted}]
        for key, value in self._query.tags:
            filters.append({"Name": "tag-key", "Values": [key]} if value == "*" else _tagged(key, value))
        kinds: dict[str, dict[str, Any]] = {}
        images: dict[str, str] = {}
        token: str | None = None
        while True:
            more = {} if token is None else {"NextToken": token}
            page = self._ask(client.describe_instances, Filters=filters, MaxResults=PAGE, **more)
            found = [one for group in page.get("Reservations", ()) for one in group.get("Instances", ())]
            found = [one for one in found if self._is_named(one)]
            self._learn_types(client, {one.get("InstanceType", "") for one in found} - set(kinds) - {""}, kinds)
            self._learn_images(client, {one.get("ImageId", "") for one in found} - set(images) - {""}, images)
            yield tuple(_instance(one, region, kinds, images) for one in found)
            token = page.get("NextToken")
            if not token:
                return

    def console(self, region: str, instance: str) -> str:
        """Return what the instance's serial console printed, as far as EC2 keeps it."""
        answer = self._ask(self._client(region).get_console_output, InstanceId=instance, Latest=False)
        return str(answer.get("Output") or "")

    def ends_when_shut_down(self, region: str, instance: str) -> bool:
        """Return whether InstanceInitiatedShutdownBehavior is ``terminate``."""
        ask = self._client(region).describe_instance_attribute
        answer = self._ask(ask, InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior")
        return (answer.get("InstanceInitiatedShutdownBehavior") or {}).get("Value") == "terminate"

    def guest_host_keys(self, region: str, instance: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return none: this cloud has no such records."""
        return ()

    def start(self, region: str, instance: str) -> None:
        """Start a stopped instance."""
        self._ask(self._client(region).start_instances, InstanceIds=[instance])

    def stop(self, region: str, instance: str) -> None:
        """Stop an instance; it can be started again."""
        self._ask(self._client(region).stop_instances, InstanceIds=[instance])

    def one(self, region: str, instance: str) -> Instance | None:
        """Return how an instance stands now; ``None`` where the region does not know it."""
        client = self._client(region)
        try:
            page = self._ask(client.describe_instances, InstanceIds=[instance])
        except CloudError as error:
            if "InvalidInstanceID" in error.message:
                return None
            raise
        found = [one for group in page.get("Reservations", ()) for one in group.get("Instances", ())]
        return _instance(found[0], region, {}, {}) if found else None

    def _client(self, region: str) -> Any:
        from botocore.config import Config

        # Our own attempts, with their own waits: the SDK's would multiply with them.
        config = Config(connect_timeout=8, read_timeout=30, retries={"total_max_attempts": 1}, max_pool_connections=4)
        return self._calling(
            lambda: self._session.client("ec2", region_name=region, config=config, endpoint_url=self._query.endpoint)
        )

    def _learn_types(self, client: Any, types: set[str], known: dict[str, dict[str, Any]]) -> None:
        names = sorted(types)
        for start in range(0, len(names), _TYPES):
            asked = names[start : start + _TYPES]
            try:
                page = self._ask(client.describe_instance_types, InstanceTypes=asked)
            except CloudError:
                # Who may list instances and not types still gets the hosts.
                known.update((one, {}) for one in asked)
                continue
            known.update((one["InstanceType"], one) for one in page.get("InstanceTypes", ()))
            known.update((one, {}) for one in asked if one not in known)

    def _learn_images(self, client: Any, images: set[str], known: dict[str, str]) -> None:
        if not images or self._query.user:
            known.update((one, "") for one in images)
            return
        try:
            # A filter, not ImageIds: an image that was withdrawn is no error then.
            page = self._ask(client.describe_images, Filters=[{"Name": "image-id", "Values": sorted(images)[:200]}])
        except CloudError:
            page = {}
        known.update((one["ImageId"], str(one.get("Name") or "")) for one in page.get("Images", ()))
        known.update((one, "") for one in images if one not in known)

    def _is_named(self, one: dict[str, Any]) -> bool:
        name = _tags(one).get("Name", "")
        return not self._query.names or any(fnmatchcase(name, glob) for glob in self._query.names)

    def _ask(self, call: Callable[..., Any], **arguments: Any) -> Any:
        return patiently(lambda: self._calling(lambda: call(**arguments)))

    def _calling(self, call: Callable[[], Any]) -> Any:
        import botocore.exceptions as failures

        try:
            return call()
        except failures.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            text = str(error.response.get("Error", {}).get("Message", ""))
            kind = ThrottledError if code in _PASSING else CloudError
            raise kind(f"AWS refused: {code}: {text}", hint=_hint(code)) from None
        except (failures.NoCredentialsError, failures.PartialCredentialsError, failures.CredentialRetrievalError):
            raise CloudError(
                "no AWS credentials were found",
                hint="aws configure, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ) from None
        except (failures.ConnectionError, failures.HTTPClientError) as error:
            raise ThrottledError(f"AWS does not answer: {type(error).__name__}") from None
        except failures.BotoCoreError as error:
            # Its texts name regions, profiles and parameters, never keys.
            raise CloudError(f"AWS could not be asked: {error}") from None


def _tagged(key: str, value: str) -> dict[str, Any]:
    return {"Name": f"tag:{key}", "Values": [value]}


def _tags(one: dict[str, Any]) -> dict[str, str]:
    return {str(tag.get("Key")): str(tag.get("Value", "")) for tag in one.get("Tags", ())}


def _hint(code: str) -> str | None:
    if code in {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}:
        return "docs/how-to/clouds.md has the policy that it needs"
    if code in {"AuthFailure", "ExpiredToken", "RequestExpired", "InvalidClientTokenId"}:
        return "aws sts get-caller-identity says whose credentials these are; aws sso login renews a session"
    return None


def _instance(one: dict[str, Any], region: str, kinds: dict[str, dict[str, Any]], images: dict[str, str]) -> Instance:
    tags = _tags(one)
    kind = kinds.get(one.get("InstanceType", ""), {})
    cards = kind.get("GpuInfo", {}).get("Gpus", ())
    launched = one.get("LaunchTime")
    try:
        return made(
            cloud="aws",
            region=region,
            id=one.get("InstanceId"),
            name=tags.get("Name", ""),
            zone=one.get("Placement", {}).get("AvailabilityZone", ""),
            type=one.get("InstanceType", ""),
            state=_STATES.get(one.get("State", {}).get("Name", ""), "gone"),
            public=one.get("PublicIpAddress") or "",
            private=one.get("PrivateIpAddress") or "",
            spot=one.get("InstanceLifecycle") == "spot",
            created="" if launched is None else launched.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            image=one.get("ImageId") or "",
            user=aws_user(images.get(one.get("ImageId", ""), "")),
            gpus=sum(int(card.get("Count", 0)) for card in cards) if kind else None,
            gpu_model=str(cards[0].get("Name", "")) if cards else "",
            gpu_memory_gib=_memory(cards),
            tags=tags,
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise CloudError(f"AWS {region} answered what provision cannot read: {error}") from None


def _memory(cards: Any) -> float | None:
    size = cards[0].get("MemoryInfo", {}).get("SizeInMiB") if cards else None
    return round(size / 1024, 1) if isinstance(size, int) and size > 0 else None
