"""The types of hosts.yaml, as it is written; `provision.inventory.inventory` makes sense of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from provision.decode.checks import NAME, OWN_FOLDER, URL, VARIABLE, WORD
from provision.inventory import fields as rule
from provision.inventory.cloud_source import AliyunSource, AwsSource, GcpSource  # noqa: TC001 - read at run time


@dataclass(frozen=True, slots=True)
class ExpectEntry:
    """What the host must have; provision reports it as unfit otherwise."""

    gpus: Annotated[int | None, rule.COUNT, "number of GPUs; 0: there must be none"] = None
    model: Annotated[str | None, "a part of the GPU's name, in any case, such as A10"] = None
    memory_gib: Annotated[float | None, rule.MEMORY, "least memory of each GPU, in GiB"] = None
    driver: Annotated[str | None, rule.CONDITION, "condition on the NVIDIA driver, such as '>=550'"] = None
    cuda: Annotated[
        str | None, rule.CUDA_VERSION, "CUDA version to build for while the host shows no GPU, such as 12.4"
    ] = None


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """Where a rented machine comes from."""

    cloud: Annotated[str, WORD, "aliyun, aws, gcp, or any other name"]
    region: Annotated[str | None, WORD, "the cloud's region"] = None
    instance: Annotated[str | None, WORD, "the instance's id: its identity when its address changes"] = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set for a host, a group, or all hosts (defaults)."""

    user: Annotated[str | None, rule.USER, "login name; none: the local user's"] = None
    port: Annotated[int | None, rule.PORT, "SSH port"] = None
    identity_file: Annotated[
        str | None, rule.IDENTITY_FILE, "private key; none: ssh's default keys, then the agent"
    ] = None
    jump: Annotated[
        str | tuple[str, ...] | None,
        rule.HOPS,
        "jump hosts: names of hosts here or ssh_config aliases, first hop first",
    ] = None
    proxy_command: Annotated[
        str | None, rule.COMMAND, "command whose stdin and stdout reach the host (%h, %p, %r are filled in)"
    ] = None
    expect: Annotated[ExpectEntry | None, "what the host must have"] = None
    state_dir: Annotated[str | None, OWN_FOLDER, "where provision keeps environments on the host"] = None
    workdir: Annotated[str | None, OWN_FOLDER, "where projects go on the host"] = None
    playbook: Annotated[str | None, rule.PLAYBOOK, "name or path of the playbook"] = None
    mirrors: Annotated[
        str | None, NAME, "mirror profile: own or china, tuna, aliyun, ustc, bfsu; auto: the best; none: no mirror"
    ] = None
    offline: Annotated[bool | None, "true: it reaches nothing, what it needs is sent over the connection"] = None
    env: Annotated[
        dict[Annotated[str, VARIABLE], Annotated[str, rule.ENV_VALUE]] | None,
        "environment variables of what runs there",
    ] = None


@dataclass(frozen=True, slots=True)
class HostEntry(Settings):
    """One machine reached over SSH."""

    address: Annotated[str | None, rule.ADDRESS, "host name, IPv4 or IPv6 address"] = None
    ssh: Annotated[str | None, rule.ALIAS, "alias in ssh_config that the host is resolved through"] = None
    host_key: Annotated[str | None, rule.HOST_KEY, "fingerprint that the host's key must have"] = None
    provider: Annotated[ProviderEntry | None, "where a rented machine comes from"] = None


@dataclass(frozen=True, slots=True)
class GroupEntry(Settings):
    """A named list of hosts, with settings for them."""

    hosts: Annotated[tuple[Annotated[str, rule.PATTERN], ...], "names and patterns such as gpu-*"] = ()


@dataclass(frozen=True, slots=True)
class MirrorEntry:
    """Nearer servers for what a host downloads; checksums stay those of the originals."""

    installer: Annotated[str | None, URL, "folder that holds the Miniconda3-*.sh files"] = None
    channels: Annotated[
        dict[Annotated[str, WORD], Annotated[str, URL] | tuple[Annotated[str, URL], ...]],
        "URL (or list of them) that serves each conda channel",
    ] = field(default_factory=dict)
    pip: Annotated[str | None, URL, "index for pip"] = None
    torch: Annotated[str | None, URL, "serves what https://download.pytorch.org/whl does, in its layout"] = None
    apt: Annotated[str | None, URL, "has the folders ubuntu, ubuntu-ports and debian, for `packages`"] = None
    hf: Annotated[str | None, URL, "HF_ENDPOINT of what runs there"] = None


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """The hosts that provision works on."""

    version: Annotated[Literal[1], "format of this file"]
    default: Annotated[str | None, NAME, "host that sync and run take when none is named"] = None
    defaults: Annotated[Settings, "settings of all hosts"] = field(default_factory=Settings)
    hosts: Annotated[dict[Annotated[str, NAME], HostEntry], "machines by name"] = field(default_factory=dict)
    groups: Annotated[
        dict[Annotated[str, NAME], tuple[Annotated[str, rule.PATTERN], ...] | GroupEntry],
        "lists of hosts by name, later ones win over earlier ones",
    ] = field(default_factory=dict)
    sources: Annotated[tuple[AwsSource | GcpSource | AliyunSource, ...], "cloud queries that add hosts"] = ()
    mirrors: Annotated[dict[Annotated[str, NAME], MirrorEntry], "mirror profiles of your own"] = field(
        default_factory=dict
    )
