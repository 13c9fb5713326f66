"""Receivers of notices on the loopback interface, which keep what they were sent."""

from __future__ import annotations

import socketserver
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


@dataclass
class Got:
    """One POST as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What a receiver was sent, and what it answers: the first ones in turn, the last one for good."""

    port: int = 0
    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [(200, b"ok")])
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent in the place of any answer."""
    seconds: float = 0.0
    """Before each answer."""
    got: list[Got] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def receiving(receiver: Receiver | None = None, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    taken = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.got.append(Got(self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            time.sleep(taken.seconds)
            if taken.raw is not None:
                self.wfile.write(taken.raw)
                self.close_connection = True
                return
            status, answer = taken.answers.pop(0) if len(taken.answers) > 1 else taken.answers[0]
            self.send_response(status)
            for key, value in taken.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    taken.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailServer:
    """A mail server that offers nothing but what it must."""

    port: int = 0
    auth: bool = False
    said: list[str] = field(default_factory=list)
    """The commands of its clients."""
    mails: list[bytes] = field(default_factory=list)
    refuse: int | None = None
    """The code for a mail that is not taken."""


@contextmanager
def mail_server(server: MailServer) -> Iterator[MailServer]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                words = line.decode().strip()
                server.said.append(words)
                verb = words[:4].upper()
                if verb == "EHLO":
                    self.wfile.write(
                        b"250-here\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n" if server.auth else b"250 here\r\n"
                    )
                elif verb == "AUTH":
                    self.wfile.write(b"235 welcome\r\n")
                elif verb == "DATA" and server.refuse is None:
                    self.wfile.write(b"354 go on\r\n")
                    data = b""
                    while not data.endswith(b"\r\n.\r\n"):
                        data += self.rfile.readline()
                    server.mails.append(data)
                    self.wfile.write(b"250 taken\r\n")
                elif verb == "DATA":
                    self.wfile.write(f"{server.refuse} no\r\n".encode())
                elif verb == "QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(b"250 ok\r\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as listening:
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        listening.shutdown()
        thread.join()
