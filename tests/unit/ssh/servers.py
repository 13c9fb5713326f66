"""SSH servers on loopback: paramiko's, which remembers what it was offered, and OpenSSH's."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Iterator


class Rules(paramiko.ServerInterface):
    """Accepts some keys and passwords, and notes every offer."""

    def __init__(self, keys: set[str], passwords: set[str], *, factors: int = 1, hang_up_after: int = 99) -> None:
        self.keys = keys
        self.passwords = passwords
        self.factors = factors
        self.hang_up_after = hang_up_after
        self.offers: list[str] = []
        self.transport: paramiko.Transport | None = None

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "publickey,password" if self.passwords else "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        del username
        return self._judge("key " + key.get_base64(), key.get_base64() in self.keys)

    def check_auth_password(self, username: str, password: str) -> int:
        del username
        return self._judge("password", password in self.passwords)

    def _judge(self, offer: str, good: bool) -> int:
        self.offers.append(offer)
        if not good and len(self.offers) >= self.hang_up_after and self.transport is not None:
            self.transport.close()
        if not good:
            return AUTH_FAILED
        self.factors -= 1
        return AUTH_PARTIALLY_SUCCESSFUL if self.factors > 0 else AUTH_SUCCESSFUL


@contextmanager
def server(rules: Rules, *host_keys: paramiko.PKey) -> Iterator[int]:
    """Serve on a free loopback port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(peer)
            transports.append(transport)
            for key in host_keys:
                transport.add_server_key(key)
            rules.transport = transport
            transport.start_server(event=threading.Event(), server=rules)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        for transport in transports:
            transport.close()
            transport.join(10)


@contextmanager
def openssh(folder: Path, host_keys: list[Path], authorized: str, *options: str) -> Iterator[int]:
    """Run a real sshd on loopback with a configuration of its own."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "authorized_keys").write_text(authorized)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    lines = [
        f"ListenAddress 127.0.0.1:{port}",
        *(f"HostKey {path}" for path in host_keys),
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        *options,
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [program, "-D", "-e", "-f", str(folder / "sshd_config")], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "sshd did not start"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    """Run an ssh-agent that holds those keys; yield its socket."""
    path = str(folder / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not Path(path).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for key in keys:
            environ = {**os.environ, "SSH_AUTH_SOCK": path}
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environ, stdin=subprocess.DEVNULL)
        yield path
    finally:
        process.terminate()
        process.wait(10)
