"""Ways to the laboratory's hosts: an inventory for typed commands, links for tests in process."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from provision.model.host import Host
from provision.model.plan import Program
from provision.ssh.link import SshLink
from provision.ssh.route import Hop, Route, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from provision.model.link import Completed
    from tests.lab.host import LabHost
    from tests.unit.cli.typed import Desk


def inventory(desk: Desk, *hosts: LabHost, settings: Mapping[str, Mapping[str, object]] | None = None) -> None:
    """Write hosts.yaml; a setting of `None` takes the usual one away."""
    entries = {}
    for one in hosts:
        entry: dict[str, object] = {
            "address": one.address,
            "user": one.user,
            "identity_file": str(one.key_path),
            **({"jump": one.jump.name} if one.jump else {}),
            **(settings or {}).get(one.name, {}),
        }
        entries[one.name] = {key: value for key, value in entry.items() if value is not None}
    (desk.project / "hosts.yaml").write_text(json.dumps({"version": 1, "hosts": entries}, indent=1))


def store(desk: Desk) -> Path:
    """Return where the pins of a typed command lie."""
    return desk.home / ".local/state/provision/known_hosts.json"


def pinned(desk: Desk) -> dict[str, str]:
    """Return the recorded fingerprint of each name."""
    return {one["name"]: one["fingerprint"] for one in json.loads(store(desk).read_text())["pins"]}


def hop(host: LabHost, **changes: Any) -> Hop:
    """Return a hop to a host, by the key that it takes."""
    values = {"address": host.address, "user": host.user, "identity_file": str(host.key_path), **changes}
    return Hop(Host(name=host.name, **values), str(values["user"]))


def route(*hosts: LabHost) -> Route:
    """Return a way that passes the hosts in their order."""
    return Route(tuple(hop(one) for one in hosts))


@contextmanager
def link(*hosts: LabHost, host_keys: Literal["accept-new", "strict"] = "accept-new") -> Iterator[SshLink]:
    """Connect through the hosts to the last one."""
    made = SshLink(route(*hosts), Settings(host_keys))
    try:
        yield made
    finally:
        made.close()


def shell(text: str, *, data: bytes | None = None, timeout: float = 60) -> Program:
    """Return the program that runs a line of shell text, with `data` on its stdin."""
    return Program("exec.sh", ("sh", "-c", text), data=data, timeout=timeout)


def ran(made: SshLink, text: str, **options: Any) -> Completed:
    """Run a line of shell text to its end."""
    return made.run(shell(text, **options))
