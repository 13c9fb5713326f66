"""The first judgement on a host's GPUs: are they there, are they what was ordered, does the driver work.

A rule is a function from facts and expectations to findings; `judge` asks all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.gpu.cuda import Fit, fit, needed_driver, oldest_driver
from provision.gpu.driver import driver_findings
from provision.gpu.health import called, health_findings
from provision.gpu.names import is_model
from provision.gpu.vendors import lost_fix, nvidia_concerned, others_concerned, reset_fix, vendor_findings
from provision.gpu.versions import satisfies
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.model.facts import Facts, Gpu
    from provision.model.host import Expect

AFTER_BUILD = frozenset({"GPU-UNPROVEN"})
"""Errors that make a host unfit and still let it be built: it may have been booted without its GPU."""

_SMALL_SHM = 1 << 30
_MIB_PER_GIB = 1024
_SHOWN = 3
_REFUSED = "[Insufficient Permissions]"
_CONTAINERS = frozenset(
    {"docker", "podman", "lxc", "lxc-libvirt", "systemd-nspawn", "openvz", "rkt", "wsl", "proot", "pouch"}
    | {"container-other", "container", "containerd", "kubernetes"}
)
"""What systemd-detect-virt calls a container, and other signs of one."""
_SUMMARY_FAILED = "nvidia-smi without arguments: "
_XID = re.compile(r"NVRM: Xid \(.*?\).*?: \d{1,5},", re.ASCII)
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def judge(facts: Facts, expect: Expect) -> tuple[Finding, ...]:
    """Return what is to be said of a host's GPUs where its playbook has the `gpu` task, the worst first.

    Raises:
        ValueError: ``expect.driver`` is no condition; `check_condition` tells it when the inventory is read.
    """
    if expect.gpus == 0:
        found = list(_unwanted(facts))
    else:
        found = [finding for rule in _RULES for finding in rule(facts, expect)]
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.severity)))


def _unwanted(facts: Facts) -> Iterator[Finding]:
    if facts.gpu.gpus:
        yield Finding(
            "GPU-COUNT",
            Severity.ERROR,
            f"{len(facts.gpu.gpus)} GPUs are there and none is expected: is this the machine that was meant?",
            fix="correct `expect.gpus` in hosts.yaml, or the host's address",
        )


def _driver(facts: Facts, expect: Expect) -> Iterator[Finding]:
    if nvidia_concerned(facts.gpu) or not others_concerned(facts.gpu, expect):
        yield from driver_findings(facts.gpu, expect)
    yield from vendor_findings(facts.gpu, expect)


def _count(facts: Facts, expect: Expect) -> Iterator[Finding]:
    seen = len(facts.gpu.gpus)
    if expect.gpus is None:
        yield from _fewer_than_the_bus(facts)
        return
    if not seen or seen == expect.gpus:
        return
    names = ", ".join(sorted({gpu.name or "unreadable" for gpu in facts.gpu.gpus}))
    lost = seen < expect.gpus
    yield Finding(
        "GPU-COUNT",
        Severity.ERROR,
        f"GPUs visible: {seen} ({names}), expected: {expect.gpus}"
        + ("; one that fell off the bus stays away until a restart" if lost else ""),
        fix=lost_fix(facts.gpu.gpus) if lost else "correct `expect.gpus` in hosts.yaml",
    )


def _fewer_than_the_bus(facts: Facts) -> Iterator[Finding]:
    # A container is given some of the host's cards, and sees the whole bus.
    seen = sum(gpu.vendor == "nvidia" for gpu in facts.gpu.gpus)
    there = sum(device.startswith("10de:") for device in facts.gpu.pci_devices)
    if seen and there > seen and facts.system.virtualisation not in _CONTAINERS:
        yield Finding(
            "GPU-COUNT",
            Severity.WARNING,
            f"GPUs visible: {seen}, and the PCI bus shows {there} NVIDIA cards",
            fix="sudo dmesg | grep -i nvrm   (a card that fell off the bus stays away until a restart; to have the"
            " number checked, say `expect: {gpus: N}` in hosts.yaml)",
        )


def _model(facts: Facts, expect: Expect) -> Iterator[Finding]:
    wanted = expect.model
    if wanted is None:
        return
    others: dict[str, list[str]] = {}
    for gpu in facts.gpu.gpus:
        if not is_model(gpu.name, wanted):
            others.setdefault(gpu.name or "without a readable name", []).append(called(gpu))
    for name, which in others.items():
        yield Finding(
            "GPU-MODEL",
            Severity.ERROR,
            f"{', '.join(which)}: {name}, expected was {wanted}",
            fix="correct `expect.model` in hosts.yaml, or ask the provider for the machine that was ordered",
        )


def _memory(facts: Facts, expect: Expect) -> Iterator[Finding]:
    if expect.memory_gib is None:
        return
    for gpu in facts.gpu.gpus:
        if any(text.startswith("memory.total:") for text in gpu.failures):
            continue  # said by GPU-READING-FAILED
        shared = gpu.memory_mib is None
        gib = facts.system.memory / (1 << 30) if gpu.memory_mib is None else gpu.memory_mib / _MIB_PER_GIB
        if gib < expect.memory_gib:
            of_what = "the machine's memory, which the GPU shares" if shared else "memory"
            yield Finding(
                "GPU-MEMORY",
                Severity.ERROR,
                f"{called(gpu)} has {gib:.1f} GiB of {of_what}, expected: {expect.memory_gib:g}",
                fix="correct `expect.memory_gib` in hosts.yaml (a card has a little less than its name says)",
            )
        elif shared:
            yield Finding(
                "GPU-MEMORY",
                Severity.INFO,
                f"{called(gpu)} has no memory of its own and shares the machine's {gib:.1f} GiB",
            )


def _driver_condition(facts: Facts, expect: Expect) -> Iterator[Finding]:
    driver = facts.gpu.driver
    if driver is None:
        return
    if expect.driver is not None and not satisfies(driver, expect.driver):
        yield Finding(
            "GPU-DRIVER-OLD",
            Severity.ERROR,
            f"the NVIDIA driver is {driver}, expected is {expect.driver}",
            fix="install a driver that meets it and restart, or correct `expect.driver` in hosts.yaml",
        )
    if expect.cuda is None:
        return
    fits = fit(expect.cuda, driver)
    if fits is Fit.NONE:
        yield Finding(
            "GPU-DRIVER-OLD",
            Severity.ERROR,
            f"CUDA {expect.cuda} does not start on driver {driver}",
            fix=f"install driver {oldest_driver(expect.cuda) or needed_driver(expect.cuda)} or newer, or choose an"
            " older `expect.cuda`",
        )
    elif fits is Fit.LIMITED:
        yield Finding(
            "GPU-DRIVER-OLD",
            Severity.WARNING,
            f"driver {driver} is older than {needed_driver(expect.cuda)}, which came with CUDA {expect.cuda}:"
            " what was built for your GPU runs, and what must first be compiled from PTX does not",
            fix=f"install driver {needed_driver(expect.cuda)} or newer",
        )


def _readings(facts: Facts, expect: Expect) -> Iterator[Finding]:
    for gpu in facts.gpu.gpus:
        if not gpu.failures:
            continue
        told = "; ".join(gpu.failures)
        refused = all(_REFUSED in one for one in gpu.failures)
        if refused and gpu.mig and facts.gpu.mig_devices:
            yield _split_by_somebody(gpu, told, asked=expect.memory_gib is not None)
        elif refused:
            yield Finding(
                "GPU-READING-FAILED",
                Severity.ERROR,
                f"{called(gpu)} does not tell its state to this user: {told}",
                fix="sudo nvidia-smi -q   (if root sees the values, log in as root; in a container only who started it"
                " can allow them)",
            )
        else:
            yield Finding(
                "GPU-READING-FAILED",
                Severity.ERROR,
                f"{called(gpu)} cannot be read: {told}",
                fix=reset_fix(gpu),
            )


def _driver_unread(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    if facts.gpu.driver is None and any(gpu.vendor == "nvidia" for gpu in facts.gpu.gpus):
        yield Finding(
            "GPU-READING-FAILED",
            Severity.ERROR,
            "the driver's version cannot be read, neither from nvidia-smi's question for it nor from its heading",
            fix="cat /proc/driver/nvidia/version; nvidia-smi   (if they differ or fail: sudo reboot)",
        )


def _summary(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    """Speak of nvidia-smi without arguments, which may fail for a card that the query is silent about."""
    for problem in facts.problems:
        if _SUMMARY_FAILED in problem:
            yield Finding(
                "GPU-READING-FAILED",
                Severity.ERROR,
                f"the GPUs can be asked one by one, and their summary fails: {problem}",
                fix="nvidia-smi; sudo dmesg | grep -i nvrm   (if it names a GPU that is lost: sudo reboot)",
            )


def _unread_xid(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    for line in [line for line in facts.gpu.xid if "Xid" in line and not _XID.search(line)][:_SHOWN]:
        yield Finding(
            "GPU-XID",
            Severity.WARNING,
            f"the kernel logged an Xid whose number is not understood: {line.strip()[:200]}",
            fix="sudo dmesg | grep -i xid   (and look for errors before and after; restart if they go on)",
        )


def _split_by_somebody(gpu: Gpu, told: str, *, asked: bool) -> Finding:
    """Speak of a card that belongs to the operator: who rents one of its slices may not read the whole."""
    return Finding(
        "GPU-READING-FAILED",
        Severity.ERROR if asked else Severity.WARNING,
        f"{called(gpu)} is split by MIG, and the whole card is not told to who has a slice of it: {told}"
        + ("; `expect.memory_gib` cannot be compared" if asked else ""),
        fix=("take `memory_gib` out of `expect` in hosts.yaml; " if asked else "")
        + "the slice itself is proven by what computes on it: `provision up`",
    )


def _busy(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    for gpu in facts.gpu.gpus:
        mine = [one for one in facts.gpu.processes if one.gpu_uuid == gpu.uuid]
        if mine:
            shown = ", ".join(f"{one.name} (pid {one.pid})" for one in mine[:_SHOWN])
            more = f" and {len(mine) - _SHOWN} more" if len(mine) > _SHOWN else ""
            yield Finding("GPU-BUSY", Severity.INFO, f"{called(gpu)} is used by {shown}{more}")


def _shm(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    size = facts.system.shm
    if facts.gpu.gpus and size is not None and size < _SMALL_SHM:
        yield Finding(
            "SHM-SMALL",
            Severity.WARNING,
            f"the shared memory /dev/shm has {size >> 20} MiB:"
            " data loaders with workers and NCCL keep buffers there and die with 'bus error' when it is full",
            fix="docker run --shm-size=8g ...   (or --ipc=host; without either: DataLoader(num_workers=0))",
        )


def _container_memory(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    limit = facts.system.memory_limit
    sizes = [gpu.memory_mib for gpu in facts.gpu.gpus if gpu.memory_mib is not None]
    if limit is None or not sizes or limit >= facts.system.memory or limit >= max(sizes) << 20:
        return
    yield Finding(
        "CONTAINER-MEMORY",
        Severity.WARNING,
        f"the control group allows {limit / (1 << 30):.1f} GiB of memory, less than one GPU has"
        f" ({max(sizes) / _MIB_PER_GIB:.0f} GiB): loading a checkpoint through it ends in SIGKILL (exit code 137)",
        fix="start the container with more memory (its `--memory`), or rent a machine with more",
    )


def _health(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    yield from health_findings(facts)


def _mig(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    split = [gpu for gpu in facts.gpu.gpus if gpu.mig]
    if not split:
        return
    devices = facts.gpu.mig_devices
    cards = "1 GPU is" if len(split) == 1 else f"{len(split)} GPUs are"
    if devices:
        parts = "1 device" if len(devices) == 1 else f"{len(devices)} devices"
        names = ", ".join(devices[:_SHOWN]) + (f" and {len(devices) - _SHOWN} more" if len(devices) > _SHOWN else "")
        yield Finding(
            "GPU-MIG",
            Severity.INFO,
            f"{cards} split by MIG into {parts} ({names})" + ("; a process sees one of them" if devices[1:] else ""),
        )
        return
    usable = any(gpu.vendor == "nvidia" and not gpu.mig for gpu in facts.gpu.gpus)
    where = ",".join(str(gpu.index) for gpu in split) if all(gpu.index is not None for gpu in split) else None
    yield Finding(
        "GPU-MIG",
        Severity.WARNING if usable else Severity.ERROR,
        f"MIG is on for {', '.join(called(gpu) for gpu in split)} and no device was made: CUDA sees no GPU there"
        + ("" if usable else ", and there is no other"),
        fix="sudo nvidia-smi"
        + (f" -i {where}" if where else "")
        + " -mig 0   (or make devices: sudo nvidia-smi mig -lgip shows the profiles, -cgi ID -C makes one)",
    )


def _persistence(facts: Facts, _expect: Expect) -> Iterator[Finding]:
    if any(gpu.persistence is False for gpu in facts.gpu.gpus):
        yield Finding(
            "GPU-PERSISTENCE",
            Severity.INFO,
            "persistence mode is off: the driver starts anew for each first program, which takes seconds",
            fix="sudo nvidia-smi -pm 1",
        )


_RULES: tuple[Callable[[Facts, Expect], Iterator[Finding]], ...] = (
    _driver,
    _count,
    _model,
    _memory,
    _driver_condition,
    _readings,
    _driver_unread,
    _summary,
    _health,
    _unread_xid,
    _busy,
    _shm,
    _container_memory,
    _mig,
    _persistence,
)
