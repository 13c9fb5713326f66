"""Names become addresses, within a time limit: the system's own lookup has none that we could set."""

from __future__ import annotations

import itertools
import queue
import socket
import threading
from typing import Any, TypeAlias

RESOLVE = 10.0
"""Seconds for a lookup: the second of two name servers is asked after five, as resolv.conf(5) has it."""

Endpoint: TypeAlias = "tuple[int, tuple[str | int, ...]]"
"""An address family and a socket address of it."""


class SlowLookupError(Exception):
    """The lookup let the whole time limit pass."""


def endpoints(address: str, port: int) -> list[Endpoint]:
    """Return where to connect for a name, in the order to try: the families take turns, as RFC 8305 has it.

    Raises:
        SlowLookupError: no answer in time.
        socket.gaierror: the name does not resolve, or no name server answers.
    """
    try:
        return _lookup(address, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    answers: queue.SimpleQueue[list[Endpoint] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(_lookup(address, port, 0))
        except OSError as error:
            answers.put(error)

    # A thread that waits for a name server cannot be ended: it is left behind.
    threading.Thread(target=look_up, name="provision-lookup", daemon=True).start()
    try:
        answer = answers.get(timeout=RESOLVE)
    except queue.Empty:
        raise SlowLookupError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _lookup(address: str, port: int, flags: int) -> list[Endpoint]:
    try:
        found: list[Any] = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:
        # Labels that no name can have: the system is not even asked.
        raise socket.gaierror(socket.EAI_NONAME, "it is no host name") from None
    unique: dict[Endpoint, None] = dict.fromkeys((int(family), where) for family, _, _, _, where in found)
    families = dict.fromkeys(family for family, _ in unique)
    turns = itertools.zip_longest(*([one for one in unique if one[0] == family] for family in families))
    return [one for turn in turns for one in turn if one is not None]
