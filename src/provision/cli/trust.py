"""The command `trust`: accept a host's new key, by its fingerprint."""

from __future__ import annotations

from provision.cli import options
from provision.cli.workspace import Workspace
from provision.ssh.trust import Identity, TrustStore, fingerprint_of

DESCRIPTION = """\
Accept the key that a host now has. Compare the fingerprint with what the provider's console shows, or with
`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` typed on the machine itself.
"""
EXAMPLES = "  provision trust gpu-box --fingerprint SHA256:3c9Jw0pQm2yN1v7bX5tK8rL4eG6hU0aZsD9fYcVqWnE\n"


def main(name: str, argv: list[str]) -> int:
    """Replace what is pinned for one host."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("host", metavar="HOST", help="a host of the inventory, or a jump host")
    words.add_argument("--fingerprint", required=True, metavar="SHA256:...", help="the key to accept from now on")
    words.add_argument("-i", "--inventory", metavar="FILE", help="hosts.yaml to use (default: found upwards from here)")
    asked = words.parse_args(argv)
    fingerprint = fingerprint_of(asked.fingerprint)
    workspace = Workspace.open(asked.inventory)
    host = workspace.any_host(asked.host)
    instance = host.provider.instance if host.provider else None
    identity = Identity.of(host.name, host.address, host.port, instance)
    before = TrustStore().trust(identity, fingerprint)
    print(f"{host.target}: trusts {fingerprint}")
    print("  the host must show this key at the next connection: it is checked then, not now")
    for pin in before:
        if pin.fingerprint != fingerprint:
            print(f"  before: {pin.fingerprint}")
    if host.host_key and host.host_key != fingerprint:
        print(f"  hosts.yaml still pins {host.host_key}: change `host_key:` there too")
    return 0
