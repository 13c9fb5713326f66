"""What may go wrong with a notice."""

from __future__ import annotations

from provision.errors import UnreachableError, UsageError


class ChannelError(UsageError):
    """A channel cannot be used as it is set up: a variable is not set, a file is open to others."""


class NotSentError(UnreachableError):
    """A channel did not take the notice; its message has no secret in it."""


class AgainError(NotSentError):
    """It may take the notice a little later."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        """`after`: seconds that the receiver asks us to wait."""
        super().__init__(message)
        self.after = after
