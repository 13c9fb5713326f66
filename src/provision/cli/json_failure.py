"""A command that fails as a whole, for who reads its document: what went wrong is in it too."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provision.errors import BadFileError, ProvisionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def failing(name: str, *, document: bool) -> Iterator[None]:
    """Print the document of a failure; a mistake in what was typed or in a file has none, as everywhere."""
    try:
        yield
    except (UsageError, BadFileError):
        raise
    except ProvisionError as error:
        if document:
            told = {"kind": error.kind, "message": error.message, "hint": error.hint}
            print(
                json.dumps(
                    {"schema_version": 1, "command": name, "exit_code": error.exit_code, "error": told}, indent=2
                )
            )
        raise
