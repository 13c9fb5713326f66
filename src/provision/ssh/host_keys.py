"""Whether a server is the machine that it should be: the decision, and what asks for it while connecting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeAlias

from provision.errors import HostKeyError
from provision.ssh.known_hosts import HostKey, KnownKeys
from provision.ssh.trust import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from provision.ssh.trust import Identity, Pin, TrustStore

HostKeyPolicy: TypeAlias = Literal["accept-new", "strict"]

KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""Host key algorithms to ask a server for, the best first; none signs with SHA-1."""


FIRST_CONTACT = "first contact"
VOUCHED = "its cloud shows this key"


class Verdict(Enum):
    """What to do with a connection, and with the key that it showed."""

    ACCEPT = "accept"
    RECORD = "record"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on one offered key, with what to tell the user."""

    verdict: Verdict
    message: str
    hint: str | None = None
    notes: tuple[str, ...] = ()
    ask_again: bool = False
    """The expected key is known by its fingerprint alone: the server may have it among its other types."""


class AskAgainError(HostKeyError):
    """The pinned key may be of another type: connect once more, asking for the verifier's new types."""


def decide(
    offered: HostKey,
    *,
    identity: Identity,
    pin: str | None,
    pins: tuple[Pin, ...],
    known: KnownKeys,
    policy: HostKeyPolicy,
) -> Decision:
    """Judge an offered key: revocations first, then the inventory's pin, our store, the user's known_hosts.

    Args:
        offered: The key that the server proved to have.
        identity: The machine that is meant.
        pin: ``host_key`` of the inventory.
        pins: What our store holds for the machine.
        known: What the user's known_hosts files say about its address.
        policy: What becomes of a key that nothing is known about.
    """
    revoked = next((one for one in known.revoked if one.key == offered), None)
    if revoked is not None:
        return Decision(
            Verdict.REFUSE,
            f"{identity.name}: its host key {offered} is revoked ({revoked.where})",
            f"whoever holds this key may be an impostor; if that is wrong, remove {revoked.where}",
            known.notes,
        )
    if pin is not None:
        return _against_inventory(offered, identity, pin, pins, known)
    if pins:
        return _against_store(offered, identity, pins, known)
    if known.keys:
        return _against_known_hosts(offered, identity, known)
    return _first_contact(offered, identity, known, policy)


def _against_inventory(
    offered: HostKey, identity: Identity, pin: str, pins: tuple[Pin, ...], known: KnownKeys
) -> Decision:
    if pin != offered.fingerprint:
        return Decision(
            Verdict.REFUSE,
            f"{identity.name}: host_key in the inventory is {pin}, but {identity.endpoint} shows {offered}",
            f"if you have checked the new key on the machine itself: host_key: {offered.fingerprint}",
            known.notes,
            ask_again=True,
        )
    same = next((one for one in pins if one.matches(offered)), None)
    notes = known.notes
    if pins and same is None:
        notes += (f"{identity.name}: host_key in the inventory replaces the recorded {pins[0]}",)
    verdict = Verdict.RECORD if same is None or same.blob is None else Verdict.ACCEPT
    return Decision(verdict, "host_key in the inventory", notes=notes)


def _against_store(offered: HostKey, identity: Identity, pins: tuple[Pin, ...], known: KnownKeys) -> Decision:
    same = next((one for one in pins if one.matches(offered)), None)
    if same is None:
        was = ", ".join(str(one) for one in pins)
        return _changed(offered, identity, was, known, ask_again=any(one.type is None for one in pins))
    notes = known.notes
    rivals = [one for one in known.keys if one.key.type == offered.type]
    if rivals and not any(one.key == offered for one in rivals):
        notes += (f"{identity.name}: {rivals[0].where} has another key, {rivals[0].key}; ours was {same.why}",)
    verdict = Verdict.RECORD if same.blob is None else Verdict.ACCEPT
    return Decision(verdict, f"recorded key ({same.why}, {same.added})", notes=notes)


def _against_known_hosts(offered: HostKey, identity: Identity, known: KnownKeys) -> Decision:
    same = next((one for one in known.keys if one.key == offered), None)
    if same is not None:
        return Decision(Verdict.ACCEPT, f"known ({same.where})", notes=known.notes)
    was = ", ".join(f"{one.key} ({one.where})" for one in known.keys)
    return _changed(offered, identity, was, known, ask_again=False)


def _changed(offered: HostKey, identity: Identity, was: str, known: KnownKeys, *, ask_again: bool) -> Decision:
    hint = (
        "nothing was sent to it. Reinstalled or replaced? Check the fingerprint on the machine itself "
        f"(its console shows it), then: provision trust {identity.name} --fingerprint {offered.fingerprint}"
    )
    return Decision(
        Verdict.REFUSE,
        f"{identity.name}: the host key of {identity.endpoint} has changed: expected {was}, but it shows {offered}",
        hint,
        known.notes,
        ask_again,
    )


def _against_cloud(offered: HostKey, identity: Identity, shown: frozenset[str], known: KnownKeys) -> Decision:
    if offered.fingerprint in shown:
        return Decision(
            Verdict.RECORD,
            VOUCHED,
            notes=(*known.notes, f"{identity.name}: host key {offered} is the one that its cloud shows; recorded"),
        )
    return Decision(
        Verdict.REFUSE,
        f"{identity.name}: {identity.endpoint} shows host key {offered}, its cloud another: {', '.join(sorted(shown))}",
        "nothing was sent to it. If the keys were made anew on the machine itself, check there, then: "
        f"provision trust {identity.name} --fingerprint {offered.fingerprint}",
        known.notes,
        ask_again=True,
    )


def _first_contact(offered: HostKey, identity: Identity, known: KnownKeys, policy: HostKeyPolicy) -> Decision:
    if policy == "strict" or known.strict:
        why = "with host keys strict" if policy == "strict" else "because of what known_hosts says"
        return Decision(
            Verdict.REFUSE,
            f"{identity.name}: {identity.endpoint} shows an unknown host key, {offered}, refused {why}",
            f"check it on the machine itself, then: provision trust {identity.name} "
            f"--fingerprint {offered.fingerprint}",
            known.notes,
        )
    return Decision(
        Verdict.RECORD,
        FIRST_CONTACT,
        notes=(*known.notes, f"{identity.name}: new host key {offered} of {identity.endpoint} recorded"),
    )


def preferred_key_types(pins: tuple[Pin, ...], known: KnownKeys, tried: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return every supported host key algorithm, those of keys that we know first and tried families last.

    A server with several keys shows the first of our list that it has; asked for another type than the known
    one it would look changed.
    """
    types = {pin.type for pin in pins if pin.type}
    if not types:
        types = {one.key.type for one in known.keys}

    def rank(algorithm: str) -> tuple[bool, bool]:
        key_type = "ssh-rsa" if algorithm.startswith("rsa-") else algorithm
        return HostKey(key_type, "").family in tried, key_type not in types

    return tuple(sorted(KEY_TYPES, key=rank))


class Verifier:
    """Judges the key of one host while it is connected to, and records what is to be recorded.

    One is made for each host, and for each host on the way to it.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        store: TrustStore,
        known: KnownKeys,
        pin: str | None = None,
        policy: HostKeyPolicy = "accept-new",
        vouch: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        """Make one.

        Args:
            identity: The machine that is meant.
            store: Our own records.
            known: What the user's known_hosts files say.
            pin: ``host_key`` of the inventory.
            policy: What becomes of a key that nothing is known about.
            vouch: Asked at the first contact alone: fingerprints that somebody who knows the machine shows.
        """
        self._vouch = vouch
        self._vouched: frozenset[str] | None = None
        self.identity = identity
        self.decision: Decision | None = None
        """The last decision, with its notes."""
        self._store = store
        self._known = known
        self._pin = None if pin is None else fingerprint_of(pin)
        self._policy = policy
        self._seen: tuple[HostKey, ...] = ()

    @property
    def key_types(self) -> tuple[str, ...]:
        """The host key algorithms to offer, in order.

        Raises:
            HostKeyError: The store cannot be read.
        """
        tried = tuple(key.family for key in self._seen)
        pins, known = self._store.pins(self.identity), self._known
        if self._pin is not None:
            pins = tuple(one for one in pins if one.fingerprint == self._pin)
            known = KnownKeys(tuple(one for one in known.keys if one.key.fingerprint == self._pin))
        return preferred_key_types(pins, known, tried)

    def check(self, transport: paramiko.Transport) -> Decision:
        """Judge the key that the server proved to have in the key exchange.

        Raises:
            AskAgainError: Another key of the same server may be the pinned one.
            HostKeyError: The server is not the machine that is meant, or the store cannot be used.
        """
        key = transport.get_remote_server_key()
        return self.judge(HostKey.of(key.get_name(), key.asbytes()))

    def judge(self, offered: HostKey) -> Decision:
        """Judge a key, as `check` does."""
        decision = self._decide(offered, self._store.pins(self.identity))
        if decision.verdict is Verdict.RECORD:
            decision = self._record(offered, decision)
        self.decision = decision
        if decision.verdict is Verdict.REFUSE:
            self._refuse(decision, offered)
        return decision

    def _record(self, offered: HostKey, decision: Decision) -> Decision:
        first = decision.message in {FIRST_CONTACT, VOUCHED}
        moved = self._store.elsewhere(self.identity) if first else ()
        try:
            pins = self._store.record(self.identity, offered, pinned=self._pin is not None)
        except HostKeyError as error:
            if first:
                raise
            # The key is the pinned one: that it could not be noted down in full costs time, not safety.
            return replace(decision, notes=(*decision.notes, error.message))
        # Another process may have met the machine meanwhile: what the store now holds decides.
        again = self._decide(offered, pins)
        if again.verdict is Verdict.REFUSE:
            return again
        if moved:
            note = f"{self.identity.name}: was {moved[-1].endpoint} before; this machine is pinned anew"
            return replace(decision, notes=(*decision.notes, note))
        return decision

    def _decide(self, offered: HostKey, pins: tuple[Pin, ...]) -> Decision:
        if self._pin is None and not pins and not self._known.keys and not self._is_revoked(offered):
            shown = self._shown()
            if shown:
                return _against_cloud(offered, self.identity, shown, self._known)
        return decide(offered, identity=self.identity, pin=self._pin, pins=pins, known=self._known, policy=self._policy)

    def _is_revoked(self, offered: HostKey) -> bool:
        return any(one.key == offered for one in self._known.revoked)

    def _shown(self) -> frozenset[str]:
        if self._vouch is None:
            return frozenset()
        if self._vouched is None:
            self._vouched = self._vouch()
        return self._vouched

    def _refuse(self, decision: Decision, offered: HostKey) -> None:
        new = offered not in self._seen
        message = decision.message
        if self._seen:
            others = ", ".join(str(key) for key in self._seen if key != offered)
            message += f"; its other keys do not match either: {others}" if others else ""
        self._seen = (*self._seen, offered) if new else self._seen
        families = {HostKey(name, "").family for name in KEY_TYPES}
        left = families - {key.family for key in self._seen}
        if decision.ask_again and new and left:
            raise AskAgainError(message, hint=decision.hint)
        raise HostKeyError(message, hint=decision.hint)

    def install(self, client: paramiko.SSHClient) -> None:
        """Make a client ask this verifier, and only it, about every key."""
        import paramiko

        verifier = self

        class Policy(paramiko.MissingHostKeyPolicy):
            def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
                del client, hostname
                verifier.judge(HostKey.of(key.get_name(), key.asbytes()))

        # The client asks its policy only about hosts that stand in none of its own two tables.
        client.get_host_keys().clear()
        client._system_host_keys.clear()  # type: ignore[attr-defined] # noqa: SLF001 (there is no other way)
        client.set_missing_host_key_policy(Policy())
