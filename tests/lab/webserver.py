"""A static web server on the laboratory's network, with the faults of real mirrors."""

from __future__ import annotations

import re
import ssl
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import socket
    from pathlib import Path

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one path; the default is nothing."""

    status: int | None = None
    """Answer with this status and a short page."""
    location: str | None = None
    """Redirect there (with a 3xx `status`, 302 if none)."""
    body: bytes | None = None
    """Answer 200 with this in place of the file (a captive portal's page)."""
    truncate_at: int | None = None
    """Close the connection after this many bytes of the body, though more were announced."""
    stall_at: int | None = None
    """Send this many bytes of the body and then nothing, with the connection open."""
    drip: float | None = None
    """Send one byte of the body, and then one more each time so many seconds have passed."""
    flip_at: int | None = None
    """Send the byte at this offset of the file wrong."""
    ranges: bool = True
    """Whether Range requests are honoured."""
    times: int | None = None
    """How many requests meet the fault; None is all."""


@dataclass(slots=True)
class WebServer:
    """Serves a folder; `fault(path, Fault(...))` breaks one path, `requests` counts what was asked for."""

    folder: Path
    address: str
    tls: ssl.SSLContext | None = None
    """Serve https with this, if given."""
    port: int = 0
    """Any free one where it is 0."""
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    """The Range headers that came, in order."""
    _faults: dict[str, Fault] = field(default_factory=dict)
    _met: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._server = _Server((self.address, self.port), _Answer)
        self._server.web = self
        self._server.tls = self.tls
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the folder, without a slash at its end."""
        return f"http{'s' if self.tls else ''}://{self.address}:{self._server.server_address[1]}"

    def fault(self, path: str, fault: Fault) -> None:
        """Let requests for `path` (which begins with a slash) go wrong."""
        with self._lock:
            self._faults[path] = fault
            self._met[path] = 0

    def heal(self) -> None:
        """End all faults."""
        with self._lock:
            self._faults.clear()

    def close(self) -> None:
        """Stop serving; stalled answers end too."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def arrive(self, path: str, wanted: str | None) -> Fault:
        """Count a request and return the fault that it meets."""
        with self._lock:
            self.requests[path] += 1
            if wanted is not None:
                self.ranges.append(wanted)
            fault = self._faults.get(path, Fault())
            self._met[path] += 1
            return fault if fault.times is None or self._met[path] <= fault.times else Fault()

    def wait_for_close(self, seconds: float | None = None) -> bool:
        """Return when the server is closed, or the seconds have passed; whether it is closed: for slow answers."""
        return self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    web: WebServer
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, object]:
        connection, peer = super().get_request()
        if self.tls is not None:
            # Shaken hands with by the thread that answers: a client that is silent must not hold up the others.
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def handle_error(self, _request: object, _peer: object) -> None:
        """Keep quiet: a client that does not trust the certificate hangs up, as it should."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet: a test that cares reads `requests`."""

    def _answer(self, *, with_body: bool) -> None:
        self.close_connection = True
        path = unquote(urlsplit(self.path).path)
        wanted = self.headers.get("Range")
        fault = self.server.web.arrive(path, wanted)
        if fault.location is not None:
            self._send(fault.status or 302, b"", fault, {"Location": fault.location}, with_body)
        elif fault.status is not None:
            self._send(fault.status, b"error\n", Fault(), {}, with_body)
        else:
            content = fault.body if fault.body is not None else self._read(path)
            if content is None:
                self._send(404, b"not found\n", Fault(), {}, with_body)
            else:
                self._send_file(content, wanted, fault, with_body)

    def _read(self, path: str) -> bytes | None:
        folder = self.server.web.folder.resolve()
        target = (folder / path.lstrip("/")).resolve()
        target = target / "index.html" if target.is_dir() else target
        if target.is_file() and folder in target.parents:
            return target.read_bytes()
        return None

    def _send_file(self, content: bytes, wanted: str | None, fault: Fault, with_body: bool) -> None:
        if fault.flip_at is not None and fault.flip_at < len(content):
            wrong = bytearray(content)
            wrong[fault.flip_at] ^= 0xFF
            content = bytes(wrong)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "") if fault.ranges else None
        if asked is None:
            self._send(200, content, fault, {"Accept-Ranges": "bytes"} if fault.ranges else {}, with_body)
            return
        first, size = int(asked[1]), len(content)
        last = min(int(asked[2] or size - 1), size - 1)
        if first > last:
            self._send(416, b"", Fault(), {"Content-Range": f"bytes */{size}"}, with_body)
            return
        about = {"Content-Range": f"bytes {first}-{last}/{size}", "Accept-Ranges": "bytes"}
        self._send(206, content[first : last + 1], fault, about, with_body)

    def _send(self, status: int, content: bytes, fault: Fault, about: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        kind = "text/html" if content[:15].lower() == b"<!doctype html>" else "application/octet-stream"
        fixed = {"Content-Type": kind, "Content-Length": str(len(content)), "Connection": "close"}
        for name, value in {**about, **fixed}.items():
            self.send_header(name, value)
        self.end_headers()
        if not with_body:
            return
        ends = [end for end in (fault.truncate_at, fault.stall_at) if end is not None]
        body = content[: min(ends)] if ends else content
        with suppress(OSError):
            if fault.drip is not None:
                for at in range(len(body)):
                    self.wfile.write(body[at : at + 1])
                    if self.server.web.wait_for_close(fault.drip):
                        break
                return
            for start in range(0, len(body), CHUNK):
                self.wfile.write(body[start : start + CHUNK])
            if fault.stall_at is not None and len(body) == fault.stall_at:
                self.wfile.flush()
                self.server.web.wait_for_close()
