"""An SSH server on the loopback whose every answer a test makes up."""

from __future__ import annotations

import json
import re
import socket
import threading
from typing import TYPE_CHECKING

import paramiko

from tests.unit.engine.model_host import ModelHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from tests.unit.cli.typed import Desk

    Respond: TypeAlias = "Callable[[paramiko.Channel, bytes, bytes], None]"
    """Gets the channel, the script (or the exec line that carries it) and the nonce."""

EVIL = "\x1b]52;c;cHduZWQ=\x07\x1b]0;t\x07\x1b[2J\x9b31m\u202eevil\u2066\x08".encode()
FORBIDDEN = (b"\x1b", b"\x07", b"\x08", "\x9b".encode(), "\u202e".encode(), b"Traceback", b"bug of provision")


class Door(paramiko.ServerInterface):
    """Lets everybody in."""

    def __init__(self, hostile: Hostile) -> None:
        self._hostile = hostile

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - the same for everybody
        return "publickey,password"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002 - any key
        return paramiko.AUTH_SUCCESSFUL  # type: ignore[attr-defined,no-any-return,unused-ignore]

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - any channel
        return paramiko.OPEN_SUCCEEDED  # type: ignore[attr-defined,no-any-return,unused-ignore]

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._hostile.answer, args=(channel, command), daemon=True).start()
        return True


class Hostile:
    """Listens until it is closed."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more clients and cut off those that are there."""
        self._listener.close()
        for one in self._transports:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        transport = paramiko.Transport(sock)
        self._transports.append(transport)
        try:
            transport.add_server_key(self._key)
            transport.start_server(server=Door(self))
            held = []
            while transport.is_active():
                held.append(transport.accept(0.5))
        except (paramiko.SSHException, OSError, EOFError):
            transport.close()

    def answer(self, channel: paramiko.Channel, command: bytes) -> None:
        """Take the script in, and answer."""
        try:
            packed = re.search(rb" ([0-9a-f]{32}) ", command)
            script, nonce = command, packed[1] if packed else b""
            if packed is None:
                script = _script(channel, int(command.rsplit(b" ", 1)[1]))
                found = re.search(rb"([0-9a-f]{32})\n", script)
                nonce = found[1] if found else b""
            self._respond(channel, script, nonce)
            channel.close()
        except (OSError, EOFError):
            return  # the client hung up, which is what it should do


def _script(channel: paramiko.Channel, length: int) -> bytes:
    script = b""
    while len(script) < length:
        piece = channel.recv(length - len(script))
        if not piece:
            break
        script += piece
    return script


def is_probe(script: bytes) -> bool:
    """Whether the command is the one that travels in its exec line."""
    return b"gzip" in script[:400]


def facts(*more: bytes) -> bytes:
    """Return a plausible answer to the probe, with lines of the test's own."""
    return ModelHost().probe(("state_dir=~/.provision",)).replace(b"end|\n", b"".join(one + b"\n" for one in more))


def framed(nonce: bytes, output: bytes, code: int = 0) -> bytes:
    """Return a whole answer."""
    return b"\n%s begin\n%s%s end %d\n" % (nonce, output, nonce, code)


def furnish(desk: Desk, port: int) -> None:
    """Give a desk a key and an inventory with the hostile host."""
    key = desk.home / ".ssh" / "id_ecdsa"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    host = {"address": "127.0.0.1", "port": port, "user": "root", "identity_file": str(key), "expect": {"gpus": 0}}
    (desk.project / "hosts.yaml").write_text(json.dumps({"version": 1, "hosts": {"box": host}}))
    (desk.project / "environment.yml").write_text("name: m\nchannels: [conda-forge]\ndependencies: [python=3.11]\n")
