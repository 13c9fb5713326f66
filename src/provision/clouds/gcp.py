"""Compute Engine: instances of a project, all zones in one paged question, by its REST interface.

Source of every field: "Method: instances.aggregatedList" and "Method: machineTypes.aggregatedList" of the Compute
Engine API v1 reference. The typed client library is left out: importing it takes seconds (docs/decisions/clouds.md).
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from provision.clouds.failing import CloudError, ThrottledError, patiently
from provision.clouds.instance import Instance, made
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.clouds.query import Query

PAGE = 500
"""Instances of one page, the most that aggregatedList gives (maxResults)."""
_API = "https://compute.googleapis.com"
_SCOPES = ("https://www.googleapis.com/auth/compute",)
_STATES = {
    "PROVISIONING": "starting",
    "STAGING": "starting",
    "RUNNING": "running",
    "REPAIRING": "starting",
    "PENDING": "starting",
    "PENDING_STOP": "stopping",
    "STOPPING": "stopping",
    "SUSPENDING": "stopping",
    "SUSPENDED": "stopped",
    "STOPPED": "stopped",
    # Google's word for an instance that is stopped: it can be started again.
    "TERMINATED": "stopped",
    "DEPROVISIONING": "gone",
}
_PASSING = {408, 429, 500, 502, 503, 504}
_THROTTLED = {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "quotaExceeded"}
_FORBIDDEN = 403


class ComputeEngine:
    """Compute Engine by application default credentials."""

    def __init__(self, query: Query) -> None:
        """Find the credentials and the project.

        Raises:
            UsageError: google-auth is not installed, or no project is named anywhere.
            CloudError: there are no credentials.
        """
        try:
            import google.auth
            import google.auth.credentials
            import google.auth.exceptions
            from google.auth.transport.requests import AuthorizedSession
        except ImportError as error:
            raise UsageError(
                "asking Google Cloud needs google-auth, which is not installed", hint="pip install 'provision-gpu[gcp]'"
            ) from error
        self._query = query
        self._base = (query.endpoint or _API).rstrip("/")
        if query.endpoint is not None and query.endpoint.startswith("http://"):
            # A token never travels in the clear: only a stand-in of a test, or a proxy that signs by itself, is there.
            credentials: Any = google.auth.credentials.AnonymousCredentials()  # type: ignore[no-untyped-call]
            project = None
        else:
            try:
                credentials, project = google.auth.default(scopes=list(_SCOPES))
            except google.auth.exceptions.GoogleAuthError:
                raise CloudError(
                    "no Google Cloud credentials were found",
                    hint="gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS",
                ) from None
        self.project = query.project or project or ""
        if not self.project:
            raise UsageError("which Google Cloud project? neither the source nor GOOGLE_CLOUD_PROJECT names one")
        self._session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]

    def regions(self) -> tuple[str, ...]:
        """Return the project: one question is for all of its zones."""
        return (self.project,)

    def instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """Yield the pages of a project's instances; zones that do not answer are raised at the end.

        Raises:
            CloudError: the project does not answer, or refuses; or some zones did not, after all pages were given.
        """
        filters = [
            f"labels.{key}:*" if value == "*" else f"labels.{key}={json.dumps(value)}"
            for key, value in self._query.tags
        ]
        arguments = {"maxResults": str(PAGE), "returnPartialSuccess": "true"}
        if filters:
            arguments["filter"] = " AND ".join(f"({one})" for one in filters)
        kinds: dict[tuple[str, str], dict[str, Any]] = {}
        silent: list[str] = []
        token = ""
        while True:
            page = self._get(
                f"/compute/v1/projects/{region}/aggregated/instances",
                {**arguments, **({"pageToken": token} if token else {})},
            )
            if page.get("kind") != "compute#instanceAggregatedList" and "items" not in page:
                raise CloudError("Google Cloud answered without a list of instances")
            silent.extend(_unreached(page))
            yield tuple(self._held(page, kinds))
            token = str(page.get("nextPageToken") or "")
            if not token:
                break
        unheard = sorted({one for one in silent if self._is_asked(one)})
        if unheard:
            raise CloudError(f"Google Cloud does not reach {', '.join(unheard)}")

    def _held(self, page: dict[str, Any], kinds: dict[tuple[str, str], dict[str, Any]]) -> Iterator[Instance]:
        for scope, held in _mapping(page.get("items")).items():
            zone = scope.rpartition("/")[2]
            if not self._is_asked(zone):
                continue
            for one in _mapping(held).get("instances") or ():
                made_of = self._instance(_mapping(one), zone, kinds)
                if made_of.state in self._query.states and self._is_named(made_of.name):
                    yield made_of

    def one(self, region: str, instance: str) -> Instance | None:
        """Return how an instance stands now, by its id or name; ``None`` where the project does not know it.

        ``region`` is the zone that it is in.
        """
        try:
            value = self._get(f"/compute/v1/projects/{self.project}/zones/{region}/instances/{instance}", {})
        except CloudError as error:
            if " 404 " in f" {error.message} ":
                return None
            raise
        return self._instance(value, region, {})

    def start(self, region: str, instance: str) -> None:
        """Start a stopped instance; ``region`` is its zone."""
        self._post(f"/compute/v1/projects/{self.project}/zones/{region}/instances/{instance}/start")

    def stop(self, region: str, instance: str) -> None:
        """Stop an instance; it can be started again. ``region`` is its zone."""
        self._post(f"/compute/v1/projects/{self.project}/zones/{region}/instances/{instance}/stop")

    def console(self, region: str, instance: str) -> str:
        """Return what the instance's first serial port printed; ``region`` is its zone."""
        path = f"/compute/v1/projects/{self.project}/zones/{region}/instances/{instance}/serialPort"
        return str(self._get(path, {"port": "1"}).get("contents") or "")

    def ends_when_shut_down(self, region: str, instance: str) -> bool:  # noqa: ARG002 - the interface
        """Return that it is never so: this cloud keeps what was shut down."""
        return False

    def guest_host_keys(self, region: str, instance: str) -> tuple[tuple[str, str], ...]:
        """Return type and base64 of the host keys that the guest agent wrote; none where there are none."""
        path = f"/compute/v1/projects/{self.project}/zones/{region}/instances/{instance}/getGuestAttributes"
        try:
            value = self._get(path, {"queryPath": "hostkeys/"})
        except CloudError:
            return ()
        items = _mapping(value.get("queryValue")).get("items") or ()
        return tuple((str(one.get("key", "")), str(one.get("value", ""))) for one in items if isinstance(one, dict))

    def _is_asked(self, zone: str) -> bool:
        zones, regions = self._query.zones, self._query.regions
        return (not zones or zone in zones) and (not regions or zone.rpartition("-")[0] in regions)

    def _is_named(self, name: str) -> bool:
        return not self._query.names or any(fnmatchcase(name, glob) for glob in self._query.names)

    def _instance(self, one: dict[str, Any], zone: str, kinds: dict[tuple[str, str], dict[str, Any]]) -> Instance:
        faces = one.get("networkInterfaces") or [{}]
        kind = str(one.get("machineType") or "").rpartition("/")[2]
        gpus, model = _accelerators(one.get("guestAccelerators"), "acceleratorCount", "acceleratorType")
        if not gpus and not re.match(r"(n1|e2|c2|n2|t2|m1|m2|m3|c3|n4|c4)", kind):
            # Machine types that bring their cards with them may leave them out of the instance.
            asked = (zone, kind)
            if asked not in kinds:
                kinds[asked] = self._type(zone, kind)
            gpus, model = _accelerators(
                kinds[asked].get("accelerators"), "guestAcceleratorCount", "guestAcceleratorType"
            )
        scheduling = _mapping(one.get("scheduling"))
        try:
            public = next((str(way["natIP"]) for way in faces[0].get("accessConfigs") or () if way.get("natIP")), "")
            return made(
                cloud="gcp",
                region=zone.rpartition("-")[0],
                id=str(one.get("id") or ""),
                name=one.get("name") or "",
                zone=zone,
                type=kind,
                state=_STATES.get(str(one.get("status")), "gone"),
                public=public,
                private=faces[0].get("networkIP") or "",
                spot=scheduling.get("provisioningModel") == "SPOT" or scheduling.get("preemptible") is True,
                created=one.get("creationTimestamp") or "",
                gpus=gpus,
                gpu_model=model,
                tags=_mapping(one.get("labels")),
            )
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise CloudError(f"Google Cloud {zone} answered what provision cannot read: {error}") from None

    def _type(self, zone: str, kind: str) -> dict[str, Any]:
        try:
            return self._get(f"/compute/v1/projects/{self.project}/zones/{zone}/machineTypes/{kind}", {})
        except CloudError:
            return {}

    def _get(self, path: str, arguments: dict[str, str]) -> dict[str, Any]:
        return patiently(lambda: self._once("GET", path, arguments))

    def _post(self, path: str) -> None:
        patiently(lambda: self._once("POST", path, {}))

    def _once(self, method: str, path: str, arguments: dict[str, str]) -> dict[str, Any]:
        import google.auth.exceptions
        import requests

        try:
            answer = self._session.request(method, self._base + path, params=arguments, timeout=(8, 60))  # type: ignore[no-untyped-call]
            value = answer.json()
        except google.auth.exceptions.TransportError as error:
            raise ThrottledError(f"Google Cloud does not answer: {type(error).__name__}") from None
        except google.auth.exceptions.GoogleAuthError as error:
            raise CloudError(
                f"Google Cloud refused the credentials: {type(error).__name__}",
                hint="gcloud auth application-default login",
            ) from None
        except ValueError:
            # requests' own error of a body that is no JSON is one of these too.
            raise ThrottledError("Google Cloud answered what is no JSON") from None
        except requests.RequestException as error:
            raise ThrottledError(f"Google Cloud does not answer: {type(error).__name__}") from None
        if answer.status_code < 400:  # noqa: PLR2004 - HTTP
            return _mapping(value)
        failure = _mapping(_mapping(value).get("error"))
        reasons = {str(_mapping(one).get("reason")) for one in failure.get("errors") or ()}
        passing = answer.status_code in _PASSING or (answer.status_code == _FORBIDDEN and reasons & _THROTTLED)
        kind = ThrottledError if passing else CloudError
        hint = "docs/how-to/clouds.md has the role that it needs" if answer.status_code == _FORBIDDEN else None
        raise kind(f"Google Cloud refused: {answer.status_code} {str(failure.get('message') or '')[:300]}", hint=hint)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _unreached(page: dict[str, Any]) -> Iterator[str]:
    """Yield the zones that a page says it could not ask."""
    for scope, held in _mapping(page.get("items")).items():
        if _mapping(_mapping(held).get("warning")).get("code") == "UNREACHABLE":
            yield scope.rpartition("/")[2]
    for one in page.get("unreachables") or ():
        yield str(one).rpartition("/")[2]


def _accelerators(cards: Any, count: str, model: str) -> tuple[int, str]:
    held = (
        [_mapping(one) for one in cards or () if "vws" not in str(_mapping(one).get(model))]
        if isinstance(cards, list)
        else []
    )
    total = sum(one.get(count, 0) for one in held if isinstance(one.get(count), int))
    first = str(held[0].get(model, "")).rpartition("/")[2] if held else ""
    return total, first.removeprefix("nvidia-").removeprefix("tesla-").upper()
