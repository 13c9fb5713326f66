"""What can be offered to a server: a key from a file or from the agent, or a password."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from paramiko.agent import AgentSSH
from paramiko.auth_strategy import AuthSource

if TYPE_CHECKING:
    from paramiko import PKey, Transport

_AGENT_SECONDS = 10.0


class KeySource(AuthSource):
    """One key to offer, with what to call it."""

    def __init__(self, username: str, key: PKey, shown: str) -> None:
        super().__init__(username)
        self.key = key
        self.shown = shown

    def authenticate(self, transport: Transport) -> list[str]:
        """Offer the key; return the methods that the server wants besides."""
        return transport.auth_publickey(self.username, self.key)


class PasswordSource(AuthSource):
    """A password that is already known."""

    shown = "password"

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username)
        self._password = password

    def authenticate(self, transport: Transport) -> list[str]:
        """Send the password; servers that ask for it as a question get it as the answer."""
        return transport.auth_password(self.username, self._password)


class Agent(AgentSSH):
    """The user's agent, with a time limit: a frozen one must not freeze us."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_AGENT_SECONDS)
            self._socket.connect(path)
            self._connect(self._socket)  # type: ignore[attr-defined]
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Leave the agent alone again."""
        self._socket.close()
