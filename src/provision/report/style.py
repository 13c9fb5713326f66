"""The few colours that plain text uses, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO


class Style:
    """Wraps text in colours, or leaves it alone."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and text else text

    def bold(self, text: str) -> str:
        """Return the text in bold."""
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        """Return the text as something of lesser weight."""
        return self._wrap("2", text)

    def red(self, text: str) -> str:
        """Return the text in red."""
        return self._wrap("31", text)

    def green(self, text: str) -> str:
        """Return the text in green."""
        return self._wrap("32", text)

    def yellow(self, text: str) -> str:
        """Return the text in yellow."""
        return self._wrap("33", text)

    def cyan(self, text: str) -> str:
        """Return the text in cyan."""
        return self._wrap("36", text)

    def outcome(self, outcome: Outcome, text: str) -> str:
        """Return the text in the colour of an outcome."""
        if outcome in {Outcome.CONVERGED, Outcome.CHANGED}:
            return self.green(text)
        if outcome in {Outcome.PENDING, Outcome.SKIPPED, Outcome.INTERRUPTED, Outcome.BUSY}:
            return self.yellow(text)
        return self.red(text)

    def severity(self, severity: Severity, text: str) -> str:
        """Return the text in the colour of a severity."""
        if severity is Severity.ERROR:
            return self.red(text)
        return self.yellow(text) if severity is Severity.WARNING else self.dim(text)


def style_for(stream: TextIO, environ: Mapping[str, str]) -> Style:
    """Return the style for a stream: colours only on a terminal that takes them, and never with NO_COLOR."""
    return Style(rich_terminal(stream, environ))


def rich_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream is a terminal that takes colours and cursor movements."""
    if environ.get("NO_COLOR") or environ.get("TERM", "dumb") in {"dumb", "unknown", ""}:
        return False
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False
