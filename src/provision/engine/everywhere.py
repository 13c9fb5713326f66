"""Runs one command of the user on a host and streams its output."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import InterruptedRunError, LinkLostError
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.model.link import Link


@dataclass(frozen=True, slots=True)
class Line:
    """A line of output, without its end."""

    stream: str
    text: str


def run_everywhere(
    link: Link, words: tuple[str, ...], *, timeout: float, stop: Stop, show: Callable[[Line], None]
) -> int:
    """Run the command once, show its lines as they come, and return its exit code.

    It is never repeated: what a user types may not be safe to do twice.

    Raises:
        LinkLostError: the link broke; whether the command ended is unknown.
    """
    decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")}
    parts = {"stdout": "", "stderr": ""}

    def take(name: str, piece: bytes) -> None:
        if stop.asked:
            raise InterruptedRunError("stopped on request: the command may still run on the host")
        *whole, parts[name] = (parts[name] + decoders[name].decode(piece)).split("\n")
        for text in whole:
            show(Line(name, text.rstrip("\r")))

    try:
        done = link.run(catalogue.user_command(words, timeout=timeout), on_output=take, capture=False)
    except LinkLostError as error:
        raise LinkLostError(f"{error.message}: the command may have run, or may still run there") from error
    for name, text in parts.items():
        if text:
            show(Line(name, text))
    return done.code
