"""What a host is: read in one round trip by the probe. An absent thing is ``None`` or empty, never a guess."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class System:
    """The machine and the login, as the kernel and the user database tell it."""

    kernel: str
    architecture: str
    """``uname -m``: ``x86_64``, ``aarch64``."""
    os: str | None
    """PRETTY_NAME of /etc/os-release."""
    os_id: str | None
    """ID and ID_LIKE of /etc/os-release, space separated: ``ubuntu debian``."""
    libc: str | None
    """``glibc`` or ``musl``."""
    glibc: str | None
    """Version of the GNU C library."""
    hostname: str
    user: str
    uid: int
    home: str
    login_shell: str | None
    sudo: str
    """``root`` (we are root), ``nopasswd``, ``password``, ``none``; ``unasked``: there is one, untried."""
    clock: int
    """The host's clock, in seconds since the epoch."""
    boot_id: str | None
    machine_id: str | None
    virtualisation: str | None
    """As systemd-detect-virt says, or what /proc shows: ``kvm``, ``docker``, ``lxc``."""
    cloud: str | None
    """From DMI: ``aws``, ``gcp``, ``aliyun``, ``azure``, ``tencent``..."""
    init: str | None
    """Name of process 1."""
    cpus: int
    memory: int
    """Bytes of RAM."""
    memory_limit: int | None
    """The cgroup's limit, in bytes."""
    shm: int | None
    """Size of /dev/shm, in bytes."""
    tools: frozenset[str] = frozenset()
    """Names of the programs, of those that provision cares about, that are on the PATH."""
    locked: str | None = None
    """Who holds the package manager's lock, or that cloud-init still runs."""
    kill_user_processes: bool | None = None
    """Whether logind ends a user's processes at logout."""
    system: str = "Linux"
    """``uname -s``."""
    memory_available: int | None = None
    """Bytes of RAM that are free or can be freed."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system behind one path that provision writes to."""

    path: str
    file_system: str
    free: int
    """Bytes available to the user."""
    free_inodes: int | None
    noexec: bool
    writable: bool
    mount: str


@dataclass(frozen=True, slots=True)
class CondaInstallation:
    """A conda prefix found on the host, healthy or not."""

    prefix: str
    version: str | None
    """conda's version as conda-meta says; ``None`` where it does not."""
    runs: bool
    """bin/python and conda's own package are there."""
    empty: bool
    """The folder exists and holds nothing."""
    conda_shaped: bool
    """It has a conda-meta folder or bin/conda."""
    installing: bool
    """An installation of ours began here and was not finished."""
    distribution: str | None = None
    """``Miniconda``, ``Anaconda``, ``Miniforge`` where the history or channels tell."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One immutable build of an environment."""

    name: str
    """``<counter>-<8 hex of the digest>``."""
    marker: dict[str, Any] | None
    """What the build script wrote last; ``None``: the build is not complete."""
    rejected: str | None
    """Why it was judged unusable after its build."""
    packages: str | None
    """Digest of conda-meta and site-packages as they are now."""

    @property
    def counter(self) -> int:
        """The number before the dash."""
        head = self.name.split("-", 1)[0]
        # No folder of ours has a longer number, and int() refuses thousands of digits.
        return int(head) if head.isascii() and head.isdigit() and len(head) <= 9 else 0  # noqa: PLR2004 - digits


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """All generations of one environment, and which one is in use."""

    project: str
    name: str
    current: str | None
    generations: tuple[Generation, ...] = ()

    def find(self, name: str | None) -> Generation | None:
        """Return the generation of that name."""
        return next((one for one in self.generations if one.name == name), None)


@dataclass(frozen=True, slots=True)
class CondaLink:
    """An entry of ~/.conda/envs: a link (target) or something foreign (no target)."""

    name: str
    target: str | None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory of a GPU."""

    gpu_uuid: str
    pid: int
    name: str
    memory_mib: int | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as its maker's tool describes it; a field is ``None`` where the card has no such thing."""

    index: int | None
    uuid: str
    name: str
    bus_id: str | None = None
    compute_capability: str | None = None
    memory_mib: int | None = None
    memory_used_mib: int | None = None
    persistence: bool | None = None
    compute_mode: str | None = None
    mig: bool | None = None
    ecc: bool | None = None
    readings: tuple[tuple[str, str], ...] = ()
    """Every other field that was asked for, as printed."""
    failures: tuple[str, ...] = ()
    """``field: text`` for each field whose text says that reading it failed."""
    vendor: str = "nvidia"
    """``nvidia``, ``amd`` or ``ascend``; those two are read from documented output, not run on hardware."""


@dataclass(frozen=True, slots=True)
class OtherVendor:
    """What shows AMD's GPUs or Huawei's Ascend NPUs, whether they work or not; not run on hardware."""

    vendor: str
    """``amd`` or ``ascend``."""
    tool: str | None = None
    """The program that was asked: ``amd-smi``, ``rocm-smi``, ``npu-smi``; ``None``: there is none."""
    code: int | None = None
    """Exit code of its main question; 124: it hung, 255: its answer was cut."""
    message: str | None = None
    """What it said when it showed no device."""
    driver: str | None = None
    """Version of the driver."""
    loaded: bool = False
    """Whether the driver's kernel module is there."""
    node: bool = False
    """Whether the device file is there that programs open: /dev/kfd, /dev/davinci_manager."""
    devices: tuple[str, ...] = ()
    """Its accelerators on the PCI bus, ``vendor:device``."""
    integrated: tuple[str, ...] = ()
    """Names of GPUs that are part of a processor; they are no `Gpu`."""
    rejected: tuple[str, ...] = ()
    """Questions that this version of the tool does not know."""
    missing_groups: tuple[str, ...] = ()
    """Groups that the login must be in to use the devices, and is not."""


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """Everything about accelerators."""

    nvidia_smi: int | None = None
    """Exit code of nvidia-smi; ``None``: there is no nvidia-smi. 124: it hung."""
    message: str | None = None
    """What nvidia-smi said when it failed."""
    gpus: tuple[Gpu, ...] = ()
    mig_devices: tuple[str, ...] = ()
    """UUIDs of MIG devices."""
    processes: tuple[GpuProcess, ...] = ()
    driver: str | None = None
    """Driver version as nvidia-smi says."""
    driver_loaded: str | None = None
    """Version of the loaded kernel module."""
    driver_installed: str | None = None
    """Version of the module on disk."""
    cuda: str | None = None
    """The newest CUDA version that the driver serves."""
    pci_devices: tuple[str, ...] = ()
    """PCI display or accelerator devices, ``vendor:device``, driver or not."""
    fabric_manager: str | None = None
    """State of its service, as ``systemctl is-active`` says; ``None``: there is none."""
    fabric_manager_version: str | None = None
    """Version of the installed fabric manager, which must be the driver's."""
    xid: tuple[str, ...] = ()
    """Xid lines of the kernel's log, where it is readable."""
    amd: str | None = None
    """What shows an AMD GPU: its tools, its driver's version."""
    ascend: str | None = None
    """What shows an Ascend NPU: its tool, its device file."""
    others: tuple[OtherVendor, ...] = ()
    """AMD and Ascend, where anything shows them."""
    libcuda: str | None = None
    """Where the driver's CUDA library is; without it nothing can use the GPU."""


@dataclass(frozen=True, slots=True)
class StepLock:
    """The lock that every mutating step on a host holds."""

    held: bool
    step: str | None
    """Id of the step that began last."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the probe read."""

    system: System
    state_dir: str
    """Absolute path, on the host."""
    workdir: str
    disks: tuple[Disk, ...] = ()
    condas: tuple[CondaInstallation, ...] = ()
    environments: tuple[EnvironmentFacts, ...] = ()
    conda_links: tuple[CondaLink, ...] = ()
    gpu: GpuFacts = field(default_factory=GpuFacts)
    records: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Name and content of each record below ``record/<machine-id>``."""
    bad_records: tuple[str, ...] = ()
    """Records that cannot be read (a newer format, damage): name and reason."""
    step_lock: StepLock = field(default_factory=lambda: StepLock(held=False, step=None))
    jobs: tuple[str, ...] = ()
    """Ids of jobs that run."""
    paths: tuple[tuple[str, str], ...] = ()
    """Answer for each path that the playbook asked about: ``absent``, ``directory``, or ``file:<mode>:<sha256>``."""
    unless: tuple[tuple[str, int], ...] = ()
    """Exit code of each `unless` question of the playbook, by the question's id."""
    packages: tuple[tuple[str, str | None], ...] = ()
    """System packages asked about, with the installed version."""
    home_owned: bool = True
    """Home belongs to the login user and others cannot write it."""
    state_danger: str | None = None
    """How another user of the host could exchange what stands in the state folder; ``None``: no way was seen."""
    probe_seconds: float | None = None
    problems: tuple[str, ...] = ()
    """Parts of the probe that gave no answer."""

    def disk(self, path: str) -> Disk | None:
        """Return the file system behind a path that the probe was asked about."""
        return next((one for one in self.disks if one.path == path), None)

    def environment(self, project: str, name: str) -> EnvironmentFacts | None:
        """Return the environment of that project and name."""
        return next((one for one in self.environments if (one.project, one.name) == (project, name)), None)

    def record(self, name: str) -> dict[str, Any] | None:
        """Return the content of a record."""
        return dict(self.records).get(name)

    def conda(self, prefix: str) -> CondaInstallation | None:
        """Return the conda prefix at that absolute path."""
        return next((one for one in self.condas if one.prefix == prefix), None)
