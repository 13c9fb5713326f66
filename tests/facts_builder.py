"""Facts of a healthy rented machine, of which each test changes what its situation is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from provision.model.facts import (
    CondaInstallation,
    CondaLink,
    Disk,
    EnvironmentFacts,
    Facts,
    Generation,
    Gpu,
    GpuFacts,
    System,
)

HOME = "/home/ubuntu"
STATE = f"{HOME}/.provision"
PREFIX = f"{HOME}/miniconda3"
CONDA_VERSION = "26.7.1"
TOOLS = frozenset({"bash", "flock", "timeout", "setsid", "sha256sum", "tar", "curl", "apt-get", "sudo"})
RECORD = "conda" + PREFIX.replace("/", "%")

_SYSTEM = System(
    kernel="6.8.0-49-generic",
    architecture="x86_64",
    os="Ubuntu 22.04.5 LTS",
    os_id="ubuntu debian",
    libc="glibc",
    glibc="2.35",
    hostname="box",
    user="ubuntu",
    uid=1000,
    home=HOME,
    login_shell="/bin/bash",
    sudo="nopasswd",
    clock=1_750_000_000,
    boot_id="boot-1",
    machine_id="0123456789abcdef",
    virtualisation="kvm",
    cloud="aliyun",
    init="systemd",
    cpus=8,
    memory=32 << 30,
    memory_limit=None,
    shm=16 << 30,
    tools=TOOLS,
)


def system(**changes: Any) -> System:
    """Return the machine and the login."""
    return replace(_SYSTEM, **changes)


def disk(path: str = PREFIX, **changes: Any) -> Disk:
    """Return a roomy file system behind a path."""
    roomy = Disk(path, "ext4", free=200 << 30, free_inodes=10_000_000, noexec=False, writable=True, mount="/")
    return replace(roomy, **changes)


def facts(**changes: Any) -> Facts:
    """Return the facts of a bare machine."""
    bare = Facts(_SYSTEM, STATE, f"{HOME}/work", disks=(disk(), disk(STATE)))
    return replace(bare, **changes)


def conda(**changes: Any) -> CondaInstallation:
    """Return a healthy Miniconda at the usual place."""
    healthy = CondaInstallation(
        PREFIX, CONDA_VERSION, runs=True, empty=False, conda_shaped=True, installing=False, distribution="Miniconda"
    )
    return replace(healthy, **changes)


def conda_record(version: str = CONDA_VERSION, prefix: str = PREFIX) -> tuple[str, dict[str, Any]]:
    """Return the record of a conda that provision has run."""
    return RECORD, {"format": 1, "prefix": prefix, "version": version}


def generation(name: str, digest: str, *, packages: str = "p", **changes: Any) -> Generation:
    """Return a complete generation that is as it was built."""
    built = Generation(name, {"format": 1, "digest": digest, "packages": packages}, None, packages)
    return replace(built, **changes)


def environment(*generations: Generation, current: str | None = None, name: str = "mymodel") -> EnvironmentFacts:
    """Return what is there of the project's environment."""
    return EnvironmentFacts("mymodel", name, current, generations)


def link(target: str | None = f"{STATE}/envs/mymodel/mymodel/current", name: str = "mymodel") -> CondaLink:
    """Return an entry of ~/.conda/envs."""
    return CondaLink(name, target)


def a10(**changes: Any) -> GpuFacts:
    """Return one A10 whose driver serves CUDA 12.4."""
    card = Gpu(0, "GPU-0000", "NVIDIA A10", compute_capability="8.6", memory_mib=23028, persistence=True)
    seen = GpuFacts(
        nvidia_smi=0,
        gpus=(card,),
        driver="550.127.05",
        driver_loaded="550.127.05",
        driver_installed="550.127.05",
        cuda="12.4",
        pci_devices=("10de:2236",),
        libcuda="/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    )
    return replace(seen, **changes)
