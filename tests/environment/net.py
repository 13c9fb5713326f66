"""Servers over TLS, and hosts that trust their authority, for tests of downloads."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.lab.authority import TRUSTED, Authority
from tests.lab.controller import ADDRESS
from tests.lab.webserver import WebServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.environment.site import Site
    from tests.lab.host import LabHost

TOOLS = ("curl", "wget", "python3")
ORIGINAL = "repo.anaconda.com"
VERSION = "py311_23.1.0-1"
NAMED = f"Miniconda3-{VERSION}-Linux-{platform.machine()}.sh"
"""An installer whose checksum no table knows."""
PREFIX = "/home/ubuntu/miniconda3"
CACHE = "/home/ubuntu/.provision/cache"
CONTENT = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(100_000))
SHA = hashlib.sha256(CONTENT).hexdigest()
NOWHERE = f"https://{ADDRESS}:9/file"


@dataclass
class Net:
    """Servers over TLS, and hosts that trust their authority."""

    site: Site
    folder: Path
    authority: Authority
    web: WebServer
    """With a certificate of the authority."""
    original: WebServer
    """The publisher's own, under its name."""
    _hosts: dict[str, LabHost] = field(default_factory=dict)

    def serve(self, tls: Authority, named: str = ADDRESS) -> WebServer:
        """Serve the same files with a certificate of this authority for this address."""
        server = WebServer(self.folder, ADDRESS, tls.serve_as(named))
        self.site.lab.servers.append(server)
        return server

    def host(self, tool: str, *, number: int = 1) -> LabHost:
        """Return the host that has only this tool to download with, or none of them; it trusts the authority."""
        name = f"{tool}{number}"
        if name not in self._hosts:
            host = self.site.lab.host(
                name,
                without=tuple(one for one in TOOLS if one != tool),
                files=((TRUSTED, self.authority.text, 0o644), ("/etc/hosts", f"{ADDRESS} {ORIGINAL}\n", 0o644)),
            )
            host.run("update-ca-certificates", check=True)
            self._hosts[name] = host
        return self._hosts[name]

    def wipe(self) -> None:
        """Make every host bare and every server whole again."""
        for host in self._hosts.values():
            host.run(f"rm -rf {PREFIX} /home/ubuntu/.provision")
        for server in self.site.lab.servers:
            server.heal()
            server.requests.clear()
            server.ranges.clear()


def make(site: Site) -> Net:
    """Serve the files of the tests on this site's network."""
    folder = site.folder / "tls"
    (folder / "original/miniconda").mkdir(parents=True)
    (folder / "file").write_bytes(CONTENT)
    for name in (NAMED, f"original/miniconda/{NAMED}"):
        (folder / name).hardlink_to(site.installers["26.7.1"].path)
    authority = Authority.make(site.folder / "authority")
    web = WebServer(folder, ADDRESS, authority.serve_as(ADDRESS))
    original = WebServer(folder / "original", ADDRESS, authority.serve_as(ADDRESS, ORIGINAL), port=443)
    site.lab.servers += [web, original]
    return Net(site, folder, authority, web, original)


def kept(host: LabHost) -> list[str]:
    """Return the names in the host's cache."""
    return host.run(f"ls {CACHE}").stdout.split()
