"""What a playbook asks for, and which environment that is on one host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.environment.digest import digest, locked_digest
from provision.playbook.paths import expand

if TYPE_CHECKING:
    from provision.environment.lock import Lock
    from provision.environment.spec import EnvironmentSpec
    from provision.model.facts import Facts
    from provision.model.host import Expect, Host

PLATFORMS = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}
NO_CUDA = "none"


@dataclass(frozen=True, slots=True)
class Variant:
    """One environment file, and the kind of host that it is for."""

    kind: str | None
    """``gpu``, ``cpu``, or ``None`` for both."""
    spec: EnvironmentSpec
    locks: tuple[Lock, ...] = ()
    """Its locks, those that were made from the file as it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The environment that one host must have, worked out from its facts."""

    variant: Variant
    digest: str
    cuda: str
    """Version for ``__cuda``; ``none`` on a host without a GPU."""
    base: str
    """Folder of the environment's generations on the host."""
    link: str
    asked: str = ""
    """Digest of what the environment file asks for; with a lock `digest` covers what the lock installs too."""
    lock: Lock | None = None
    """What it is built from; ``None``: conda solves on the host."""

    @property
    def spec(self) -> EnvironmentSpec:
        """What is asked for."""
        return self.variant.spec

    @property
    def gpu(self) -> bool:
        """Whether it must compute on a GPU."""
        return self.cuda != NO_CUDA


@dataclass(frozen=True, slots=True)
class Request:
    """One conda environment of a project, as a playbook asks for it on one host."""

    project: str
    name: str
    variants: tuple[Variant, ...]
    prefix: str
    """The conda that builds it, as the playbook says."""
    host: Host
    accept_tos: bool
    build_anyway: bool = False
    """The user wants a build even where its CUDA does not go with the driver or the cards."""
    frozen: bool = False
    """Nothing is built that no lock describes."""

    @property
    def link_name(self) -> str:
        """The name that `conda activate` takes."""
        return self.variants[0].spec.name

    def channels(self, spec: EnvironmentSpec) -> tuple[tuple[str, ...], ...]:
        """Return the channels by the URLs that this host's mirror serves them from, then by those that follow it."""
        found: list[tuple[str, ...]] = []
        served: dict[str, list[str]] = {}
        for mirror in self.host.mirror.chain if self.host.mirror else ():
            # Where the last ones serve only some of the channels, the others stay with who served them before.
            served |= {name: [url for one, url in mirror.channels if one == name] for name, _ in mirror.channels}
            found.append(tuple(dict.fromkeys(url for one in spec.channels for url in served.get(one, [one]))))
        return tuple(dict.fromkeys(found)) or (spec.channels,)

    @property
    def pip_indexes(self) -> tuple[tuple[str, str], ...]:
        """Index, and who serves PyTorch's wheels, of each attempt of pip; empty: the original."""
        if self.host.mirror is None:
            return (("", ""),)
        return tuple(dict.fromkeys((one.pip or "", one.torch or "") for one in self.host.mirror.chain))

    def conda(self, facts: Facts) -> str:
        """Return the absolute prefix of the conda that builds it."""
        return expand(self.prefix, facts.system.home)

    def kind(self, facts: Facts) -> str:
        """Return the kind of host, by what it has or is expected to have: ``gpu`` or ``cpu``."""
        return kind_of(facts, self.host.expect)

    def wanted(self, facts: Facts) -> Wanted | None:
        """Return what the host must have; ``None`` where no file is for a host of its kind."""
        kind = self.kind(facts)
        variant = next((one for one in self.variants if one.kind in (None, kind)), None)
        platform = PLATFORMS.get(facts.system.architecture)
        if variant is None or platform is None:
            return None
        cuda = cuda_of(facts, self.host.expect) if kind == "gpu" else NO_CUDA
        asked = digest(variant.spec, platform, variant.kind, cuda=cuda != NO_CUDA)
        lock = None
        if variant.locks:
            from provision.environment.lock import fitting

            lock = fitting(variant.locks, platform, cuda, facts.system.glibc)
        return Wanted(
            variant,
            locked_digest(asked, lock.content) if lock is not None else asked,
            cuda,
            f"{facts.state_dir}/envs/{self.project}/{self.name}",
            f"{facts.system.home}/.conda/envs/{self.link_name}",
            asked,
            lock,
        )


def kind_of(facts: Facts, expect: Expect) -> str:
    """Return the kind of a host, by what it has or is expected to have: ``gpu`` or ``cpu``."""
    there = facts.gpu.gpus or facts.gpu.driver
    return "gpu" if there or expect.gpus or expect.cuda is not None else "cpu"


def cuda_of(facts: Facts, expect: Expect) -> str:
    """Return the version for ``__cuda``: what the driver serves, or what is expected of a box without its GPU."""
    if facts.gpu.cuda:
        return facts.gpu.cuda
    # Imported late: nvidia-smi itself says it nearly always.
    from provision.gpu.cuda import newest_cuda

    driver = facts.gpu.driver or facts.gpu.driver_loaded
    served = newest_cuda(driver) if driver else None
    return served or expect.cuda or NO_CUDA
