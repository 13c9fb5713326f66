"""Opens a connection hop by hop: our own socket, fabric's connection, our host-key and login decisions."""

from __future__ import annotations

import functools
import logging
import socket
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from provision.errors import ProvisionError, StoppedError, UnreachableError
from provision.ssh import algorithms, profile
from provision.ssh.dial import SilentError, dial
from provision.ssh.early import take
from provision.ssh.greeting import EndlessGreetingError
from provision.ssh.host_keys import AskAgainError, Verifier
from provision.ssh.identities import Login
from provision.ssh.known_hosts import SYSTEM_FILES, KnownHosts
from provision.ssh.trust import Identity, TrustStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.model.host import Host
    from provision.ssh.route import Hop, Route, Settings

KEY_TRIES = 3
MALFORMED = (ValueError, IndexError, KeyError, AssertionError, struct.error)
"""What the library lets out when a server sends nonsense."""

# paramiko logs what we tell in our own words; without a handler Python would print it on the terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class DroppedError(UnreachableError):
    """The server hung up before it spoke: it limits how many may connect at once, so trying again helps."""


_gates: dict[tuple[str, int], threading.BoundedSemaphore] = {}
_gates_lock = threading.Lock()


@contextmanager
def _gate(address: str, port: int) -> Iterator[None]:
    """Let only so many handshakes begin at once at one server or jump host."""
    with _gates_lock:
        gate = _gates.setdefault((address, port), threading.BoundedSemaphore(profile.HANDSHAKES))
    with gate:
        yield


@functools.cache
def _plain_config() -> fabric.Config:
    """Return a configuration that reads no file: fabric's own would execute ~/.fabric.py and read ssh_config."""
    return fabric.Config(lazy=True, ssh_config=paramiko.SSHConfig())


class Connection:
    """An authenticated connection to one host, through all its jump hosts."""

    def __init__(self, route: Route, settings: Settings) -> None:
        self.notes: list[str] = []
        self._chain: list[fabric.Connection] = []
        try:
            for hop in route.hops:
                whose = "" if hop is route.target else f"{hop.host.name}: "
                self.notes.extend(f"{whose}{note}" for note in hop.host.notes)
                self._chain.append(self._open(hop, settings, last=hop is route.target))
        except BaseException:
            self.close()
            raise

    @property
    def transport(self) -> paramiko.Transport:
        """The transport to the host itself."""
        transport: paramiko.Transport = self._chain[-1].transport
        return transport

    def close(self) -> None:
        """Close every hop, the last one first."""
        while self._chain:
            self._chain.pop().close()

    def _open(self, hop: Hop, settings: Settings, *, last: bool) -> fabric.Connection:
        host = hop.host
        _check_running(host)
        store = TrustStore()
        files = tuple(_expanded(hop.alias.known_hosts_files))
        known = (KnownHosts((*files, *SYSTEM_FILES)) if files else KnownHosts()).lookup(
            hop.alias.host_key_alias or host.address, 22 if hop.alias.host_key_alias else host.port
        )
        instance = host.provider.instance if host.provider else None
        verifier = Verifier(
            Identity.of(host.name, host.address, host.port, instance),
            pin=host.host_key,
            store=store,
            known=known.revoked_only() if instance else known,
            policy=settings.host_keys,
            vouch=functools.partial(settings.vouch, host) if settings.vouch is not None and instance else None,
        )
        for attempt in range(KEY_TRIES):
            try:
                connection = self._attempt(hop, settings, verifier, last=last)
            except AskAgainError:
                if attempt == KEY_TRIES - 1:
                    raise
            else:
                if verifier.decision is not None:
                    self.notes.extend(verifier.decision.notes)
                return connection
        raise AssertionError("unreachable")

    def _attempt(self, hop: Hop, settings: Settings, verifier: Verifier, *, last: bool) -> fabric.Connection:
        host = hop.host
        login = Login(
            host.name,
            hop.user,
            identity_files=hop.identity_files,
            identities_only=hop.alias.identities_only,
            ask=settings.ask_passphrase,
            ask_password=settings.ask_password,
            jump=not last,
        )
        with _gate(host.address, host.port):
            sock = self._socket(hop)
            connection = fabric.Connection(
                host.address if ":" not in host.address else host.name,
                user=hop.user,
                port=host.port,
                config=_plain_config(),
                gateway=False,
                forward_agent=False,
                connect_kwargs=_connect_arguments(sock, login, verifier),
            )
            # fabric's own policy accepts every key, a changed one too.
            verifier.install(connection.client)
            began = time.monotonic()
            try:
                connection.open()
            except ProvisionError:
                _discard(connection, sock)
                raise
            except (paramiko.SSHException, OSError, EOFError, *MALFORMED) as error:
                _discard(connection, sock)
                failure = sock.failure() if hasattr(sock, "failure") else None
                raise failure or _explained(error, hop, time.monotonic() - began) from error
        self.notes.extend(login.notes)
        return connection

    def _socket(self, hop: Hop) -> Any:
        host = hop.host
        if host.proxy_command and not self._chain:
            from provision.ssh.proxy import proxy

            return proxy(host.proxy_command, address=host.address, port=host.port, user=hop.user)
        if not self._chain:
            return take(host.address, host.port) or dial(host.address, host.port)
        before = self._chain[-1]
        try:
            return before.transport.open_channel(
                "direct-tcpip",
                (host.address, host.port),
                ("127.0.0.1", 0),
                window_size=profile.WINDOW,
                timeout=profile.CHANNEL,
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise UnreachableError(
                f"{host.address}:{host.port}: the jump host {before.original_host} cannot reach it ({error})",
                hint="is the address right as seen from the jump host, and does it allow forwarding?",
            ) from error


def _connect_arguments(sock: Any, login: Login, verifier: Verifier) -> dict[str, Any]:
    # Made anew each time: fabric and paramiko change the dictionary that they are given.
    return {
        "sock": sock,
        "timeout": profile.BANNER,
        "banner_timeout": profile.BANNER,
        "auth_timeout": profile.AUTHENTICATION,
        "channel_timeout": profile.CHANNEL,
        "disabled_algorithms": {name: list(values) for name, values in algorithms.DISABLED.items()},
        "transport_factory": functools.partial(algorithms.new_transport, key_types=verifier.key_types),
        "auth_strategy": login,
    }


def _discard(connection: fabric.Connection, sock: Any) -> None:
    connection.client.close()
    sock.close()


def _expanded(files: tuple[str, ...]) -> Iterator[Path]:
    from pathlib import Path

    for name in files:
        yield Path(name).expanduser()


def _explained(error: BaseException, hop: Hop, seconds: float) -> UnreachableError:
    where = f"{hop.host.address}:{hop.host.port}"
    known = algorithms.explain_negotiation(error)
    if known is not None:
        message, hint = known
        return UnreachableError(f"{where}: {message}", hint=hint)
    text = str(error) or type(error).__name__
    # The library says the same of a server that was silent and of one that hung up: what came before tells.
    cause = error.__cause__ or error.__context__
    if isinstance(cause, EndlessGreetingError):
        return SilentError(f"{where}: {cause}", hint="is another service listening on this port?")
    # Two clocks of the library run against each other in a stalled handshake; one of them tells it as an end of input.
    waited = seconds >= profile.CONNECT and isinstance(error, EOFError)
    if (
        waited
        or isinstance(error, socket.timeout)
        or isinstance(cause, socket.timeout)
        or "No existing session" in text
    ):
        return SilentError(
            f"{where}: connected, then no answer within {profile.BANNER:.0f} s",
            hint="is it an SSH server, and is the machine overloaded?",
        )
    if isinstance(error, (EOFError, ConnectionError)) or "banner" in text or "EOF" in text:
        return DroppedError(
            f"{where}: the server hung up before the login ({text})",
            hint="it may limit how many connect at once, or block this address",
        )
    return UnreachableError(f"{where}: {text}")


def _check_running(host: Host) -> None:
    provider = host.provider
    if provider is not None and provider.state in {"stopped", "stopping"}:
        raise StoppedError(
            f"{host.name} is {provider.state}: {provider.cloud} {provider.region} {provider.instance}",
            hint=f"provision power on {host.name}   (provision hosts --refresh asks its cloud again)",
        )
