"""Runs one command of the user on a host and streams its output."""

from __future__ import annotations

import codecs
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.errors import InterruptedRunError, LinkLostError
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.model.link import Link

LONGEST = 64 << 10
"""Characters of a line that are kept together: a longer one is shown in pieces, so that memory stays flat."""


class Lines:
    """Cuts a stream into lines of text without their ends."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = ""

    def feed(self, piece: bytes) -> list[str]:
        """Return the lines that this piece completes."""
        *whole, tail = (self._tail + self._decoder.decode(piece)).split("\n")
        while len(tail) > LONGEST:
            whole.append(tail[:LONGEST])
            tail = tail[LONGEST:]
        self._tail = tail
        return [text.rstrip("\r") for text in whole]

    def rest(self) -> list[str]:
        """Return a last line that has no end."""
        tail, self._tail = self._tail + self._decoder.decode(b"", final=True), ""
        return [tail.rstrip("\r")] if tail else []


def run_everywhere(
    link: Link,
    words: tuple[str, ...],
    *,
    timeout: float,
    stop: Stop,
    show: Callable[[str, list[str]], None],
    env: tuple[tuple[str, str], ...] = (),
) -> int:
    """Run the command once, show its lines as they come, and return its exit code.

    It is never repeated: what a user types may not be safe to do twice.

    Args:
        link: The host.
        words: The command.
        timeout: Seconds that it may take.
        stop: A first request ends it: the host is asked to end the command.
        env: Variables that the user set for the host.
        show: Called with ``stdout`` or ``stderr`` and some lines of it.

    Raises:
        InterruptedRunError: it was stopped on request.
        LinkLostError: the link broke; whether the command ended is unknown.
    """
    streams = {"stdout": Lines(), "stderr": Lines()}

    def take(name: str, piece: bytes) -> None:
        if stop.asked:
            raise InterruptedRunError("stopped on request: the command was asked to end, and may still run on the host")
        lines = streams[name].feed(piece)
        if lines:
            show(name, lines)

    try:
        program = replace(catalogue.user_command(words, timeout=timeout), env=env)
        done = link.run(program, on_output=take, capture=False)
    except LinkLostError as error:
        raise LinkLostError(f"{error.message}: the command may have run, or may still run there") from error
    finally:
        for name, lines in streams.items():
            rest = lines.rest()
            if rest:
                show(name, rest)
    return done.code
