"""The warnings of a framework: lines of output folded to messages, each once, without noise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.environment.frameworks.causes import is_noise

_EXCEPTION = re.compile(r"[\w.]+: ")

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.environment.frameworks.report import Framework, Outcome, Said


def messages(framework: Framework, *, gpu: bool) -> tuple[str, ...]:
    """Return what a framework said, in its order; what a process said that failed belongs to its failure."""
    found: dict[str, None] = {}
    for outcome in outcomes(framework):
        for text in folded(outcome.said if outcome.ok else ()):
            if not is_noise(text, gpu=gpu):
                found.setdefault(text)
    return tuple(found)


def outcomes(framework: Framework) -> Iterator[Outcome]:
    """Yield the outcome of each process of a framework."""
    yield framework.outcome
    for computation in framework.computations:
        yield computation.outcome
    for exchange in framework.exchanges:
        yield exchange.outcome


def last_words(outcome: Outcome) -> str:
    """Return, in parentheses, what was printed last by a process that said nothing of its end itself."""
    ended = outcome.error is not None and not _EXCEPTION.match(outcome.error)
    printed = [one for one in outcome.said if one.category is None] if ended else []
    return f" ({' '.join(printed[-1].text.split())})" if printed else ""


def folded(said: Iterable[Said]) -> Iterator[str]:
    """Yield one line for each message: of a traceback its last one, of others the first."""
    trace = False
    for one in said:
        text = " ".join(one.text.split())
        if one.category is not None:
            yield f"{one.category}: {text}"
        elif text.startswith("Traceback (most recent call last)"):
            trace = True
        elif not one.text[:1].isspace():
            trace = False
            yield text
    if trace:
        yield "a traceback without an end"


def called(framework: Framework) -> str:
    """Return how a message names a framework."""
    return f"{framework.name} {framework.description.version}" if framework.description else framework.name
