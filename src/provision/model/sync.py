"""What a sync is about, as values: what would go, what went, and what was left where it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tree comes from, as the host records it and other people read it."""

    client: str
    """This machine's user, 32 hexadecimal digits made at the first use."""
    root: str
    """The project's root on this machine."""
    who: str
    """``user@machine``."""
    project: str
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    """Whether the work tree differs from the commit; ``None`` outside git."""


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync of one host will do; paths as text, bytes that are no UTF-8 as surrogates."""

    tree: str
    """The absolute path on the host."""
    files: int
    """Entries of the whole tree."""
    sent: tuple[str, ...]
    removed: tuple[str, ...]
    bytes: int
    """Of content to send, before compression."""
    kept: tuple[str, ...] = ()
    """Changed on the host since the last sync: kept aside there, then replaced or removed."""
    missing: tuple[str, ...] = ()
    """Put there by an earlier sync, and no longer there."""
    first: bool = False
    """No sync was ever there."""
    had: int = 0
    """Entries that earlier syncs had left there."""
    adopted: int = 0
    """Entries that were there already with the same content although no sync put them there."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync of one host did."""

    plan: SyncPlan
    up_to_date: bool
    wire_bytes: int
    """Sent over the link for the content, after compression."""
    kept: tuple[tuple[str, str], ...] = ()
    """Pairs of path, and where on the host its changed content is kept."""
    id: str = ""
    """The digest of the tree that is there now."""
    resumed_bytes: int = 0
    """Not sent again, because an earlier, broken sync had brought them there."""
