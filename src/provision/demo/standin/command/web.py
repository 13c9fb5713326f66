"""Fetching over http(s) and file addresses, failing in conda's words."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING

from .errors import StandinError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .faults import Faults

TRIES = 4
CHUNK = 1 << 20


def stream(url: str, faults: Faults) -> Iterator[bytes]:
    """Yield the body of an address in pieces of at most a MiB; connecting is tried four times."""
    response = _connect(url, faults)
    with response:
        while piece := response.read(CHUNK):
            yield piece


def fetch(url: str, faults: Faults) -> bytes:
    """Return the body of an address."""
    return b"".join(stream(url, faults))


def peek(url: str, seconds: float = 5.0) -> bytes | None:
    """Return the body of an address, or None when it cannot be had: tried once, never an error."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as response:  # noqa: S310 - channels may be files
            body: bytes = response.read()
            return body
    except (OSError, ValueError):
        return None


def _connect(url: str, faults: Faults) -> urllib.request._UrlopenRet:
    wait = faults.http_backoff()
    for attempt in range(TRIES):
        try:
            return urllib.request.urlopen(url, timeout=10)  # noqa: S310 - channels may be files
        except urllib.error.HTTPError as error:
            error.close()
            reason = str(error.reason).upper()
            if error.code == HTTPStatus.NOT_FOUND:
                raise StandinError("UnavailableInvalidChannel", f"HTTP 404 NOT FOUND for channel <{url}>") from None
            raise StandinError("CondaHTTPError", f"HTTP {error.code} {reason} for url <{url}>") from None
        except (OSError, ValueError) as error:
            if url.startswith("file:"):
                raise StandinError("UnavailableInvalidChannel", f"HTTP 404 NOT FOUND for channel <{url}>") from error
            if attempt + 1 < TRIES:
                time.sleep(wait)
                wait *= 2
    message = f"HTTP 000 CONNECTION FAILED for url <{url}>\nElapsed: -\n\nThe address could not be retrieved."
    raise StandinError("CondaHTTPError", message)
