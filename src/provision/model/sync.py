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
class Question:
    """What the user is asked before a sync goes on."""

    says: str
    """In one line, without a stop."""
    paths: tuple[str, ...]
    """Which files, or folders (a slash behind), it is about."""
    lines: tuple[str, ...]
    """All of it, as it stands before the question."""


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync of one host will do; paths as text, bytes that are no UTF-8 as surrogates."""

    tree: str
    """The absolute path on the host."""
    files: int
    """Entries of the whole tree."""
    sent: tuple[str, ...]
    """All that is new or different, also where its content is there from a sync that broke."""
    removed: tuple[str, ...]
    bytes: int
    """Of content to send, before compression: without what is there from a sync that broke."""
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
    staged: int = 0
    """Of those `sent`, what an earlier sync that broke brought whole."""
    resumed: int = 0
    """Bytes that an earlier sync that broke brought."""
    owner: str = ""
    """Whose tree it is, where it is another's and is taken over: ``user@machine, from /folder``."""
    standing: tuple[str, ...] = ()
    """What stands where something of ours must go, and no sync had put it there: kept aside; only where foreseen."""
    staying: tuple[str, ...] = ()
    """Of those `removed`, what stays, as no sync had put it there; only where foreseen."""
    questions: tuple[Question, ...] = ()
    """What would be asked; known of those that are only foreseen."""

    @property
    def travelling(self) -> int:
        """Files that are really sent."""
        return len(self.sent) - self.staged


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync of one host did."""

    plan: SyncPlan
    up_to_date: bool
    wire_bytes: int
    """Sent over the link for the content, after compression."""
    kept: tuple[tuple[str, str], ...] = ()
    """Pairs of path, and where on the host what stood there is kept."""
    strange: frozenset[str] = frozenset()
    """Paths of those `kept` that no sync had put there."""
    earlier: tuple[tuple[str, str], ...] = ()
    """The same pairs of an earlier sync that broke while it placed its files, and was brought to its end first."""
    id: str = ""
    """The digest of the tree that is there now."""
    resumed_bytes: int = 0
    """Not sent again after a lost link, or because an earlier sync that broke had brought them there."""
    left: int = 0
    """Of what was to be removed, how many stay, as no sync had put them there."""
