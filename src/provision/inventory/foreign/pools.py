"""Machines that SkyPilot, Ray and dstack are told of.

Sources: "Deploy SkyPilot on existing machines" (ssh_node_pools.yaml) of SkyPilot's documentation; "Cluster YAML
configuration options", provider type local, of Ray's; "SSH fleets" and the reference of .dstack.yml of type fleet of
dstack's.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from provision.inventory.foreign.found import Found, listed, mapping, plain_name, text


def from_skypilot(document: Any, source: str) -> Found:
    """Return the hosts of SkyPilot's node pools; each pool is a group.

    Raises:
        BadFileError: it is no such file.
    """
    found = Found(source)
    for pool, content in mapping(document, source, "the file").items():
        held = mapping(content, source, str(pool))
        for number, one in enumerate(listed(held.get("hosts"), source, f"{pool}.hosts"), 1):
            if isinstance(one, str) and not _is_ip(one):
                # "Ensure `ssh NAME` works", they say: ssh's own configuration knows what it is.
                found.add(one, {"ssh": one}, str(pool))
                continue
            entry = {"ip": one} if isinstance(one, str) else mapping(one, source, f"{pool}.hosts[{number}]")
            both = {**held, **entry}
            if both.get("password") is not None:
                found.left_out.append(f"{pool}: a password: hosts.yaml holds none (PROVISION_SSH_PASSWORD)")
            values = {
                "address": text(both.get("ip")),
                "user": both.get("user"),
                "port": both.get("port"),
                "identity_file": both.get("identity_file"),
            }
            found.add(text(both.get("ip")), values, str(pool))
    return found


def from_ray(document: Any, source: str) -> Found:
    """Return the head and the workers of a Ray cluster of type local; the cluster is a group.

    Raises:
        BadFileError: it is no such file.
    """
    found = Found(source)
    held = mapping(document, source, "the file")
    provider = mapping(held.get("provider"), source, "provider")
    auth = mapping(held.get("auth"), source, "auth")
    group = plain_name(text(held.get("cluster_name")) or "ray")
    values = {
        "user": auth.get("ssh_user"),
        "identity_file": auth.get("ssh_private_key"),
        "proxy_command": auth.get("ssh_proxy_command"),
    }
    if provider.get("type") != "local":
        found.left_out.append(
            f"provider {provider.get('type')}: its machines are made when Ray starts them; see `sources`"
        )
        return found
    workers = listed(provider.get("worker_ips"), source, "provider.worker_ips")
    for number, address in enumerate([provider.get("head_ip"), *workers]):
        if address:
            name = f"{group}-head" if number == 0 else f"{group}-{number}"
            found.add(name, {"address": str(address), **values}, group)
    return found


def from_dstack(document: Any, source: str) -> Found:
    """Return the hosts of a dstack fleet; the fleet is a group.

    Raises:
        BadFileError: it is no such file.
    """
    found = Found(source)
    held = mapping(document, source, "the file")
    group = plain_name(text(held.get("name")) or "fleet")
    config = mapping(held.get("ssh_config"), source, "ssh_config")
    jump = mapping(config.get("proxy_jump"), source, "ssh_config.proxy_jump")
    through = None
    if jump:
        through = f"{group}-jump"
        found.add(through, _dstack({}, jump))
    hosts = listed(config.get("hosts"), source, "ssh_config.hosts")
    if not hosts:
        found.left_out.append("no ssh_config.hosts: dstack makes this fleet's machines itself; see `sources`")
    for number, one in enumerate(hosts, 1):
        entry = {"hostname": one} if isinstance(one, str) else mapping(one, source, f"ssh_config.hosts[{number}]")
        own = mapping(entry.get("proxy_jump"), source, "proxy_jump")
        if own:
            found.left_out.append(f"{entry.get('hostname')}: a jump host of its own")
        found.add(text(entry.get("hostname")), {**_dstack(config, entry), "jump": through}, group)
    return found


def _dstack(common: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    both = {**common, **entry}
    return {
        "address": text(both.get("hostname")),
        "user": both.get("user"),
        "port": both.get("port"),
        "identity_file": both.get("identity_file"),
    }


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
