"""A proxy command that ends its connection after so many bytes one way: ``cutter.py HOST PORT up|down BYTES TALLY``.

The bytes that passed each way are written to the file TALLY at the end.
"""

from __future__ import annotations

import os
import select
import socket
import sys


def main(host: str, port: str, way: str, most: str, tally: str) -> None:
    """Pass bytes between stdin, stdout and the host until one end closes, or enough have passed."""
    passed = {"up": 0, "down": 0}
    left = {"up": sys.maxsize, "down": sys.maxsize, way: int(most)}
    try:
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while left["up"] and left["down"]:
                ready, _, _ = select.select([0, sock.fileno()], [], [])
                for one in ready:
                    name = "up" if one == 0 else "down"
                    size = min(left[name], 65536)
                    data = os.read(0, size) if one == 0 else sock.recv(size)
                    if not data:
                        return
                    passed[name] += len(data)
                    left[name] -= len(data)
                    if one == 0:
                        sock.sendall(data)
                    else:
                        os.write(1, data)
    except OSError:
        return
    finally:
        with open(tally, "w", encoding="ascii") as file:
            file.write(f"{passed['up']} {passed['down']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
