"""Where a connection goes through: a host, and the jump hosts before it, every one resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from provision.inventory.alias import AliasValues

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.model.host import Host


@dataclass(frozen=True, slots=True)
class Hop:
    """One machine on the way, the target included."""

    host: Host
    user: str
    alias: AliasValues = field(default_factory=AliasValues)

    @property
    def identity_files(self) -> tuple[str, ...]:
        """The keys that were chosen: hosts.yaml names one, an ssh_config alias may name several."""
        chosen, several = self.host.identity_file, self.alias.identity_files
        if several and chosen in {None, str(Path(several[0]).expanduser())}:
            return several
        return (chosen,) if chosen else ()


@dataclass(frozen=True, slots=True)
class Settings:
    """How to connect, the same for every host of a run."""

    host_keys: Literal["accept-new", "strict"] = "accept-new"
    ask_passphrase: Callable[[str], str | None] | None = None
    ask_password: Callable[[str], str | None] | None = None
    vouch: Callable[[Host], frozenset[str]] | None = None
    """Asked at the first contact with a rented machine: the fingerprints that its cloud shows, if it does."""
    stands: Callable[[Host], str | None] | None = None
    """Asked when the link to a rented machine is lost: its state as its cloud says, None where that does not say."""


@dataclass(frozen=True, slots=True)
class Route:
    """The hops to a host, in the order in which they are passed; the last one is the host."""

    hops: tuple[Hop, ...]

    @property
    def target(self) -> Hop:
        """The host itself."""
        return self.hops[-1]
