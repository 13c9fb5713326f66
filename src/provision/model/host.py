"""What the user says about machines: hosts, what is expected of them, and the mirrors that they use."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Expect:
    """What a host must have; ``None`` means that nothing is asked."""

    gpus: int | None = None
    """Number of GPUs; 0 says that there must be none."""
    model: str | None = None
    """A part of the GPU's name, compared without case: ``A10``."""
    memory_gib: float | None = None
    """Least memory of each GPU, in GiB."""
    driver: str | None = None
    """A version condition on the NVIDIA driver, such as ``>=550`` or ``>=550.54,<580``."""
    cuda: str | None = None
    """The CUDA version that the environment is built for where the host shows no GPU yet: ``12.4``."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a rented machine comes from; ``instance`` is its identity when its address changes."""

    cloud: str
    region: str | None = None
    instance: str | None = None
    zone: str | None = None
    type: str | None = None
    state: str | None = None
    """``running``, ``stopped``, ...; ``None`` where the cloud was not asked."""
    spot: bool = False
    """The cloud may take it away at any time."""
    created: str | None = None
    """ISO 8601."""
    billed_when_stopped: bool = False
    project: str | None = None
    profile: str | None = None
    endpoint: str | None = None
    """Whom the source asked, and so who is asked to start or stop it."""
    as_of: float | None = None
    """When the cloud said so, in seconds since the epoch, where that is longer ago than an answer is fresh."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Nearer servers for what a host downloads; checksums stay those of the originals."""

    name: str
    installer: str | None = None
    """Folder URL that holds the ``Miniconda3-*.sh`` files."""
    channels: tuple[tuple[str, str], ...] = ()
    """Pairs of channel name (``defaults``, ``conda-forge``, ...) and the URL that serves it."""
    pip: str | None = None
    """Index URL for pip."""
    torch: str | None = None
    """Folder URL that serves what https://download.pytorch.org/whl does."""
    apt: str | None = None
    """URL below which ``ubuntu``, ``ubuntu-ports`` and ``debian`` are served."""
    hf: str | None = None
    """``HF_ENDPOINT`` of what runs there."""
    then: tuple[Mirror, ...] = ()
    """Asked in this order where this one fails."""
    candidates: tuple[Mirror, ...] = ()
    """It is not chosen yet: the host asks these, and the best of them are taken."""

    @property
    def chain(self) -> tuple[Mirror, ...]:
        """This one, and those that are asked where it fails."""
        return (self, *self.then)


@dataclass(frozen=True, slots=True)
class Host:
    """One machine reached over SSH, with every setting resolved (host > ssh alias > groups > defaults)."""

    name: str
    address: str
    port: int = 22
    user: str | None = None
    """Login name; ``None`` means the local user's name."""
    identity_file: str | None = None
    ssh: str | None = None
    """The ssh_config alias that the host was resolved through."""
    jump: tuple[str, ...] = ()
    """Names of inventory hosts or ssh_config aliases to go through, the first hop first."""
    proxy_command: str | None = None
    host_key: str | None = None
    """A pinned key fingerprint, ``SHA256:...``."""
    provider: Provider | None = None
    expect: Expect = field(default_factory=Expect)
    state_dir: str = "~/.provision"
    workdir: str = "~/work"
    playbook: str = "gpu"
    mirror: Mirror | None = None
    offline: bool = False
    """It reaches nothing: what it needs comes over the connection."""
    env: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Lines to tell the user, such as ssh_config directives that are not honoured."""

    @property
    def target(self) -> str:
        """The host as a person reads it: ``gpu-box (ubuntu@203.0.113.10:22)``."""
        login = f"{self.user}@" if self.user else ""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.name} ({login}{address}:{self.port})"
