"""Questions to the person at the terminal; asked on stderr, so that stdout stays clean."""

from __future__ import annotations

import sys

from provision.errors import InterruptedRunError


def answerable() -> bool:
    """Return whether somebody sits there who sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, default: str = "") -> str:
    """Ask for one line; an empty one is the default.

    Raises:
        InterruptedRunError: the input ended instead (Ctrl-D).
    """
    shown = f" [{default}]" if default else ""
    print(f"{question}{shown}: ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        print(file=sys.stderr)
        raise InterruptedRunError("no answer: nothing was written")
    return line.strip() or default


def agreed(question: str) -> bool:
    """Ask for a yes or a no; an empty line is yes."""
    while True:
        answer = ask(f"{question} [Y/n]").casefold()
        if answer in {"", "y", "yes"}:
            return True
        if answer in {"n", "no"}:
            return False
