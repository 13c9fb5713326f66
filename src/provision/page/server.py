"""The page from a server of its own on this machine: it can be read with the token, and nothing can be changed."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from typing import TYPE_CHECKING, Any

from provision.page.document import document
from provision.page.html import page, policy
from provision.page.plots import plots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provision.page.fleet import Fleet

HOSTS_DRAWN = 8
"""Hosts with plots of their own: whoever opens the page waits for them."""
DATA = "data.json"
_PARTS = 3
"""Of a path: nothing, the token, and what is wanted."""


class Served:
    """A WSGI application with two resources: the page, and its data as JSON.

    Args:
        read: Reads the fleet.
        fingerprint: Tells whether there is something new to read.
        token: The first part of each path that is answered.
        names: Values of the Host header that are answered; a page elsewhere may point a name of its own here.
    """

    def __init__(
        self, read: Callable[[], Fleet], fingerprint: Callable[[], str], token: str, names: frozenset[str] = frozenset()
    ) -> None:
        self._read, self._fingerprint, self._token = read, fingerprint, token
        self.names = names
        self._lock = threading.Lock()
        self._made: dict[str, tuple[str, bytes]] = {}

    def __call__(self, request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        status, kind, body, tag = self._answer(request)
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", f"{policy(live=True)}; frame-ancestors 'none'"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
        ]
        if tag:
            headers.append(("ETag", tag))
        if status.startswith("405"):
            headers.append(("Allow", "GET, HEAD"))
        if status.startswith("304"):
            headers = [one for one in headers if one[0] not in {"Content-Type", "Content-Length"}]
        start(status, headers)
        return [] if request.get("REQUEST_METHOD") == "HEAD" or status.startswith("304") else [body]

    def _answer(self, request: dict[str, Any]) -> tuple[str, str, bytes, str]:
        text = "text/plain; charset=utf-8"
        if request.get("HTTP_HOST", "").lower() not in self.names:
            return "421 Misdirected Request", text, b"this name is not ours\n", ""
        parts = request.get("PATH_INFO", "").split("/")
        # An unlike token takes as long as a nearly right one.
        right = len(parts) == _PARTS and hmac.compare_digest(parts[1].encode("utf-8", "replace"), self._token.encode())
        if not right or parts[2] not in {"", DATA}:
            return "404 Not Found", text, b"not found\n", ""
        if request.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
            return "405 Method Not Allowed", text, b"this page is read only\n", ""
        wants_data = parts[2] == DATA
        tag, body = self._body("data" if wants_data else "page")
        if wants_data and request.get("HTTP_IF_NONE_MATCH") == tag:
            return "304 Not Modified", "", b"", tag
        return "200 OK", "application/json" if wants_data else "text/html; charset=utf-8", body, tag

    def _body(self, what: str) -> tuple[str, bytes]:
        """Return a resource and its tag; it is made anew where something was written meanwhile."""
        tag = f'"{hashlib.sha256(self._fingerprint().encode()).hexdigest()[:32]}"'
        # matplotlib draws in one thread at a time, and two who ask at once get the same page.
        with self._lock:
            made = self._made.get(what)
            if made is None or made[0] != tag:
                fleet = self._read()
                if what == "page":
                    body = page(fleet, plots(fleet, hosts=HOSTS_DRAWN), live=True).encode()
                else:
                    body = json.dumps(document(fleet, plots(fleet, hosts=HOSTS_DRAWN, draw=False))).encode()
                self._made[what] = made = (tag, body)
        return made
