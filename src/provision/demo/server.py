"""An SSH server for one user with one key, on this machine's loopback alone, that runs real commands."""

from __future__ import annotations

import hmac
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from provision.demo.execution import Execution

if TYPE_CHECKING:
    from pathlib import Path

    from provision.demo.children import Children

LOOPBACK = "127.0.0.1"
LOGIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """The only user who is let in."""

    user: str
    key: bytes
    """The public key, in the wire format."""
    home: Path
    environment: dict[str, str]
    """All that a command finds in its environment."""


class Door(paramiko.ServerInterface):
    """What one client may do: log in with the one key, and run commands."""

    def __init__(self, account: Account, children: Children) -> None:
        self._account = account
        self._children = children

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - the same for everybody
        """Keys, nothing else."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Let in the one user with the one key; paramiko has checked the signature."""
        fits = username == self._account.user and hmac.compare_digest(key.asbytes(), self._account.key)
        return paramiko.AUTH_SUCCESSFUL if fits else paramiko.AUTH_FAILED  # type: ignore[attr-defined,no-any-return,unused-ignore]

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - as many sessions as one likes
        """Open sessions; forward nothing."""
        if kind == "session":
            return paramiko.OPEN_SUCCEEDED  # type: ignore[attr-defined,no-any-return,unused-ignore]
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED  # type: ignore[attr-defined,no-any-return,unused-ignore]

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run the command."""
        Execution(channel, command, self._children).start(self._account.environment, self._account.home)
        return True


class Server:
    """Listens on a free port of the loopback until it is closed."""

    def __init__(self, account: Account, host_key: paramiko.PKey, children: Children) -> None:
        self._account = account
        self._host_key = host_key
        self._children = children
        self._listener = socket.create_server((LOOPBACK, 0))
        threading.Thread(target=self._accept, name="demo-accept", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that was free."""
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Take no more clients; those that are there are cut off when the process ends."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), name="demo-client", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        # Without it each answer waits for a delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(sock)
        try:
            transport.add_server_key(self._host_key)
            transport.auth_timeout = LOGIN_SECONDS
            transport.start_server(server=Door(self._account, self._children))
            # paramiko keeps no session alive by itself: one that nobody holds is closed.
            sessions: list[paramiko.Channel] = []
            while transport.is_active():
                session = transport.accept(1.0)
                sessions = [one for one in (*sessions, session) if one is not None and not one.closed]
        except (paramiko.SSHException, EOFError, OSError):
            # A client that is not one, or one that left: the next is welcome.
            pass
        finally:
            transport.close()
