"""How a cloud fails: throttled (asked again), refused (told once), or not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from provision.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
ATTEMPTS = 5
LONGEST_WAIT = 8.0
"""Seconds between two attempts."""


class CloudError(UnreachableError):
    """A cloud did not answer a question, or refused it."""

    kind = "cloud"


class ThrottledError(CloudError):
    """It asks for fewer questions, or has a trouble of its own that passes: worth asking again."""


def patiently(ask: Callable[[], T]) -> T:
    """Return what ``ask`` returns; where the cloud throttles, ask again later, and later still.

    Raises:
        CloudError: it refuses, or still throttles after `ATTEMPTS` attempts.
    """
    # Imported here: only who asks a cloud pays for it.
    import tenacity

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT),
        retry=tenacity.retry_if_exception_type(ThrottledError),
        reraise=True,
    )
    return retrying(ask)
