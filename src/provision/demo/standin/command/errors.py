"""The failures of the command, under the names that conda's ``--json`` gives them."""

from __future__ import annotations


class StandinError(Exception):
    """A failure with the exception name, message and exit status that conda documents for it."""

    def __init__(self, name: str, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.status = status

    def document(self) -> dict[str, object]:
        """Return what ``--json`` prints for this failure."""
        return {
            "caused_by": "None",
            "error": f"{self.name}: {self.message}",
            "exception_name": self.name,
            "exception_type": f"<class 'standin.{self.name}'>",
            "message": self.message,
        }


class SignalReceivedError(Exception):
    """SIGINT or SIGTERM arrived while files were extracted or linked."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_name = signal_name


def out_of_space(where: str, path: str) -> StandinError:
    """Return one of conda's three ways to tell of a full disk: ``extract``, ``link`` or ``corrupted``."""
    if where == "extract":
        return StandinError(
            "InvalidArchiveError",
            f"Error with archive {path}. Delete it and download or make it again. The cause was:\n\n"
            "failed with error: [Errno 28] No space left on device",
        )
    if where == "corrupted":
        return StandinError("CorruptedEnvironmentError", f"The target environment has been corrupted.\nFile: {path}")
    return StandinError("CondaError", f"No space left on device\n  path: {path}\n  errno: 28")
