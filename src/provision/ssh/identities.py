"""How we log in: the chosen key, ssh's default keys, the agent's keys, a password; few tries, in order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paramiko import AgentKey, BadAuthenticationType, SSHException
from paramiko.auth_strategy import AuthResult, AuthStrategy, SourceResult
from paramiko.config import SSHConfig

from provision.errors import AuthenticationError, UnreachableError
from provision.ssh.offers import Agent, KeySource, PasswordSource
from provision.ssh.private_keys import (
    Keyring,
    NeedsPassphraseError,
    UnusableKeyError,
    public_blob,
    read_key_file,
    with_certificate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from paramiko import PKey, Transport

    Ask = Callable[[str], "str | None"]

KEYRING = Keyring()
"""The process's own."""

MAX_OFFERS = 5
"""OpenSSH hangs up at the sixth refusal (MaxAuthTries), and some sites count them against the address."""

PASSWORD_VARIABLE = "PROVISION_SSH_PASSWORD"  # noqa: S105 (the variable's name)
DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
HARDWARE_KEYS = ("id_ed25519_sk", "id_ecdsa_sk")


@dataclass(slots=True)
class _Tried:
    """What came of the offers so far."""

    refused: list[str]
    methods: tuple[str, ...] = ()
    """The methods that the server said it takes."""


class Login(AuthStrategy):
    """Tries the ways to log in to one host, one after the other; nothing is read or asked before its turn.

    It serves as ``auth_strategy`` of SSHClient.connect. Agent forwarding is not among its abilities.
    """

    def __init__(
        self,
        target: str,
        username: str,
        *,
        identity_files: tuple[str, ...] = (),
        identities_only: bool = False,
        ask: Ask | None = None,
        ask_password: Ask | None = None,
        jump: bool = False,
        home: Path | None = None,
        environ: Mapping[str, str] | None = None,
        keyring: Keyring = KEYRING,
    ) -> None:
        """Prepare a login.

        Args:
            target: The host's name in the inventory, for messages.
            username: Who to log in as.
            identity_files: The keys that were chosen for this host, if any.
            identities_only: Offer no others.
            ask: Asks for a passphrase; returns None where nobody can answer.
            ask_password: Likewise for the password.
            jump: It is passed on the way to another host: the password of the environment is that host's alone.
            home: The folder that holds ``.ssh``.
            environ: Instead of the process's environment.
            keyring: Instead of the process's own.
        """
        super().__init__(ssh_config=SSHConfig())
        self.target = target
        self.username = username
        self.notes: list[str] = []
        """Keys that were passed over, and why."""
        self.accepted: str | None = None
        """What logged in."""
        self._files = identity_files
        self._only = identities_only
        self._ask = ask
        self._ask_password = ask_password
        self._home = Path.home() if home is None else home
        self._environ = os.environ if environ is None else environ
        self._whose = f"the jump host {target}" if jump else target
        self._password = None if jump else self._environ.get(PASSWORD_VARIABLE)
        self._kept_back = f"{PASSWORD_VARIABLE} is never sent to a jump host" if jump else ""
        self._keyring = keyring
        self._agent: Agent | None = None
        self._agent_asked = False

    def get_sources(self) -> Iterator[KeySource]:
        """Yield the keys in the order to offer them, opening each only when its turn comes."""
        offered: set[bytes] = set()
        for source in self._keys():
            blob = source.key.public_blob.key_blob if source.key.public_blob else source.key.asbytes()
            if blob not in offered:
                offered.add(blob)
                yield source

    def authenticate(self, transport: Transport) -> AuthResult:
        """Log in, or say what was tried.

        Raises:
            AuthenticationError: None of the ways was accepted; trying again would not help.
            UnreachableError: The link broke, or the server fell silent, before it had refused anything.
        """
        tried = _Tried([])
        result = AuthResult(strategy=self)
        try:
            for source in self._bounded_sources():
                if self._offer(transport, source, tried, result):
                    return result
                if tried.methods and "publickey" not in tried.methods:
                    break
            password = self._password_source(transport, tried)
            if password is not None and self._offer(transport, password, tried, result):
                return result
            if transport.is_authenticated():
                self.accepted = "no proof: the host asks for none"
                return result
        finally:
            if self._agent is not None:
                self._agent.close()
        raise self._failure(tried)

    def _bounded_sources(self) -> Iterator[KeySource]:
        # One offer is kept for the password.
        limit = MAX_OFFERS - (self._ask_password is not None or self._password is not None)
        for count, source in enumerate(self.get_sources()):
            if count == limit:
                self.notes.append(f"only {limit} keys were offered: name the right one with identity_file")
                return
            yield source

    def _offer(
        self, transport: Transport, source: KeySource | PasswordSource, tried: _Tried, result: AuthResult
    ) -> bool:
        try:
            further = source.authenticate(transport)
        except BadAuthenticationType as error:
            tried.methods = tuple(error.allowed_types)
            further = None
        except (SSHException, EOFError, OSError) as error:
            self._require_link(transport, error, tried, source)
            further = None
        if further is None:
            tried.refused.append(source.shown)
            return False
        result.append(SourceResult(source, further))
        if not further:
            self.accepted = source.shown
            return True
        # A key was right, and the server wants more.
        tried.methods = tuple(further)
        second = self._password_source(transport, tried) if isinstance(source, KeySource) else None
        if second is not None and self._offer(transport, second, tried, result):
            return True
        raise AuthenticationError(
            f"{self.target}: {source.shown} was accepted for {self.username}, but the server asks for a "
            f"second factor ({', '.join(further)})",
            hint=f"as a second factor only a password is supported ({self._kept_back or PASSWORD_VARIABLE})",
        )

    def _require_link(
        self, transport: Transport, error: Exception, tried: _Tried, source: KeySource | PasswordSource
    ) -> None:
        """Raise where the failure was the link's, not the key's."""
        if "timeout" in str(error).lower():
            raise UnreachableError(f"{self.target}: no answer while logging in with {source.shown}") from error
        if transport.is_active():
            return
        if not tried.refused:
            raise UnreachableError(f"{self.target}: the link was lost while logging in ({error})") from error
        tried.refused.append(source.shown)
        self.notes.append("the server then closed the connection: it takes no more tries")
        raise self._failure(tried) from error

    def _password_source(self, transport: Transport, tried: _Tried) -> PasswordSource | None:
        password = self._password
        if password is None and self._ask_password is not None and self._takes_password(transport, tried):
            password = self._ask_password(f"Password of {self.username} on {self._whose}: ")
        return PasswordSource(self.username, password) if password else None

    def _takes_password(self, transport: Transport, tried: _Tried) -> bool:
        """Ask the server before the person is asked."""
        if not tried.methods:
            try:
                transport.auth_none(self.username)
            except BadAuthenticationType as error:
                tried.methods = tuple(error.allowed_types)
            except (SSHException, EOFError, OSError):
                return False
        return bool({"password", "keyboard-interactive"} & set(tried.methods))

    def _keys(self) -> Iterator[KeySource]:
        folder = self._home / ".ssh"
        chosen = [self._expand(name) for name in self._files]
        for path in chosen:
            yield from self._from_file(path, chosen=True)
        if not (self._only and chosen):
            for name in DEFAULT_KEYS:
                if folder / name not in chosen and (folder / name).exists():
                    yield from self._from_file(folder / name, chosen=False)
            self.notes.extend(
                f"{folder / name}: keys on hardware tokens are not supported; use an agent's ordinary key"
                for name in HARDWARE_KEYS
                if (folder / name).exists()
            )
        if not self._only:
            yield from self._from_agent()

    def _from_file(self, path: Path, *, chosen: bool) -> Iterator[KeySource]:
        shown = self._shown(path)
        try:
            data = read_key_file(path)
        except UnusableKeyError as error:
            # The private half may live in the agent alone, with only the .pub file here.
            held = self._held_by_agent(public_blob(path, b"")) if chosen else None
            if held is not None:
                yield KeySource(self.username, held, f"{shown} (agent)")
            else:
                self.notes.append(f"{shown}: {error}")
            return
        if b"PRIVATE KEY" not in data:
            held = self._held_by_agent(public_blob(path, data))
            if held is not None:
                yield KeySource(self.username, held, f"{shown} (agent)")
            else:
                self.notes.append(f"{shown}: it is no private key, and the agent holds none for it")
            return
        try:
            key = self._open(path, data)
        except UnusableKeyError as error:
            self.notes.append(f"{shown}: {error}")
            return
        if isinstance(key, AgentKey):
            yield KeySource(self.username, key, f"{shown} (agent)")
            return
        yield from self._certified(path, key, shown)
        yield KeySource(self.username, key, shown)

    def _open(self, path: Path, data: bytes) -> PKey:
        try:
            return self._keyring.open(path, data, None)
        except NeedsPassphraseError:
            # The agent may hold the same key, unlocked: then nobody needs to be asked.
            held = self._held_by_agent(public_blob(path, data))
            return self._keyring.open(path, data, self._ask) if held is None else held

    def _certified(self, path: Path, key: PKey, shown: str) -> Iterator[KeySource]:
        try:
            certified = with_certificate(path, key)
        except UnusableKeyError as error:
            self.notes.append(f"{shown}: {error}")
            return
        if certified is not None:
            yield KeySource(self.username, certified, f"{shown} with its certificate")

    def _from_agent(self) -> Iterator[KeySource]:
        for key in self._agent_keys():
            if key.get_name().startswith("sk-"):
                self.notes.append(f"agent key {key.comment!r}: keys on hardware tokens are not supported")
            else:
                yield KeySource(self.username, key, f"agent key {key.comment!r} ({key.get_name()})")

    def _held_by_agent(self, blob: bytes | None) -> AgentKey | None:
        if blob is None:
            return None
        return next((key for key in self._agent_keys() if key.blob == blob), None)

    def _agent_keys(self) -> tuple[AgentKey, ...]:
        path = self._environ.get("SSH_AUTH_SOCK")
        if not self._agent_asked and path:
            self._agent_asked = True
            try:
                self._agent = Agent(path)
            except (OSError, SSHException) as error:
                self.notes.append(f"the agent at {path} does not answer ({error})")
        return self._agent.get_keys() if self._agent is not None else ()

    def _expand(self, name: str) -> Path:
        # os.path's own leaves an unknown ~user as it is, pathlib's raises.
        return self._home / name[2:] if name.startswith("~/") else Path(os.path.expanduser(name))  # noqa: PTH111

    def _shown(self, path: Path) -> str:
        try:
            return f"~/{path.relative_to(self._home)}"
        except ValueError:
            return str(path)

    def _failure(self, tried: _Tried) -> AuthenticationError:
        passed_over = "; ".join(self.notes)
        detail = f"; passed over: {passed_over}" if passed_over else ""
        if not tried.refused:
            return AuthenticationError(
                f"{self.target}: there is no key to log in as {self.username} with{detail}",
                hint=f"name one with identity_file in hosts.yaml, or ssh-add it, or {self._with_password()}",
            )
        ways = "the one way" if len(tried.refused) == 1 else f"none of {len(tried.refused)} ways"
        was = "was not accepted" if len(tried.refused) == 1 else "was accepted"
        methods = f" (the server takes {', '.join(tried.methods)})" if tried.methods else ""
        return AuthenticationError(
            f"{self.target}: {ways} to log in as {self.username} {was}{methods}: {', '.join(tried.refused)}{detail}",
            hint="is the user name right, and is the public key in ~/.ssh/authorized_keys there? "
            f"With a password: provision hosts install-key {self.target}{self._kept_back and f' ({self._kept_back})'}",
        )

    def _with_password(self) -> str:
        if self._kept_back:
            return f"with a password: provision hosts install-key {self.target} ({self._kept_back})"
        return f"set {PASSWORD_VARIABLE}"
