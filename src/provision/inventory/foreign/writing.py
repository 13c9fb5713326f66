"""Hosts of the inventory written for ssh and for Ansible."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.model.host import Host

SSH_PORT = 22


def ssh_config(hosts: Iterable[Host]) -> str:
    """Return a ``Host`` block for each host, to be included by ~/.ssh/config."""
    return "\n".join("\n".join(_block(one)) + "\n" for one in hosts)


def _block(host: Host) -> list[str]:
    lines = [f"Host {host.name}", f"    HostName {host.address}"]
    if host.user:
        lines.append(f"    User {host.user}")
    if host.port != SSH_PORT:
        lines.append(f"    Port {host.port}")
    if host.identity_file and '"' not in host.identity_file:
        # ssh would put something of its own in place of a % there; a quote it cannot read at all.
        escaped = host.identity_file.replace("%", "%%")
        lines.append(f'    IdentityFile "{escaped}"')
    if host.jump:
        lines.append(f"    ProxyJump {','.join(host.jump)}")
    elif host.proxy_command:
        lines.append(f"    ProxyCommand {host.proxy_command}")
    return lines


def ansible(hosts: Sequence[Host]) -> str:
    """Return a YAML inventory for Ansible: every host below ``all``, its groups as children."""
    lines = ["all:", "  hosts:" if hosts else "  hosts: {}"]
    groups: dict[str, list[str]] = {}
    for host in hosts:
        lines.append(f"    {_word(host.name)}:")
        lines += [f"      {key}: {value}" for key, value in _variables(host)]
        for group in host.groups:
            groups.setdefault(group, []).append(host.name)
    if groups:
        lines.append("  children:")
    for group, members in groups.items():
        # Ansible takes no '-' in a group's name without a warning: the name stays what the team knows it as.
        lines += [f"    {_word(group)}:", "      hosts:", *(f"        {_word(one)}:" for one in members)]
    return "\n".join(lines) + "\n"


def _variables(host: Host) -> list[tuple[str, str]]:
    found = [("ansible_host", _word(host.address))]
    if host.port != SSH_PORT:
        found.append(("ansible_port", str(host.port)))
    if host.user:
        found.append(("ansible_user", _word(host.user)))
    if host.identity_file:
        found.append(("ansible_ssh_private_key_file", _word(host.identity_file)))
    if host.jump:
        found.append(("ansible_ssh_common_args", _word(f"-o ProxyJump={shlex.quote(','.join(host.jump))}")))
    elif host.proxy_command:
        option = shlex.quote(f"ProxyCommand={host.proxy_command}")
        found.append(("ansible_ssh_common_args", _word(f"-o {option}")))
    return found


def _word(text: str) -> str:
    # JSON is YAML: whatever is in the text, it is read back as that text.
    return json.dumps(text, ensure_ascii=True)
