"""The process that is the embedded host: ``python -m provision.demo.machine FOLDER USER``.

It prints its port and lives until its stdin ends, so it cannot outlive the demo; then it ends all that it started.
"""

from __future__ import annotations

import base64
import logging
import os
import signal
import sys
from pathlib import Path

import paramiko

from provision.demo.children import Children
from provision.demo.keys import AUTHORIZED, HOST
from provision.demo.server import Account, Server

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def environment(user: str, home: Path) -> dict[str, str]:
    """Return what a login there finds: nothing of the environment that the demo runs in."""
    return {
        "HOME": str(home),
        "USER": user,
        "LOGNAME": user,
        "SHELL": "/bin/sh",
        "PATH": PATH,
        "TMPDIR": str(home.parent / "tmp"),
    }


def main(folder: Path, user: str) -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    home = folder / "home"
    for one in (home, folder / "tmp"):
        one.mkdir(mode=0o700)
    key = base64.b64decode((folder / AUTHORIZED).read_text().split()[1])
    children = Children()
    server = Server(
        Account(user, key, home, environment(user, home)),
        paramiko.Ed25519Key(filename=str(folder / HOST)),
        children,
    )
    print(server.port, flush=True)
    try:
        sys.stdin.buffer.read()
    finally:
        server.close()
        children.end_all()
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
