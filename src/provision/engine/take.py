"""Downloads a file to this machine: what is cut short is resumed, what hardly moves is given up."""

from __future__ import annotations

import time
import urllib.request
from http.client import HTTPException, HTTPResponse
from typing import IO, TYPE_CHECKING
from urllib.error import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage
    from pathlib import Path

PATIENCE = 30.0
"""Seconds of silence, or of less than `SLOWEST`, that end a transfer."""
SLOWEST = 2048
"""Bytes a second: at less, the 160 MB of an installer would take a day."""
ATTEMPTS = 3
PAUSE = 1.0
"""Seconds before the second attempt; the third waits twice as long."""
_BUSY = {408, 425, 429}


class _CutError(ValueError):
    """It ended before its time, or hardly moved: another attempt may do better."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows none from https to another scheme, whatever stands behind it."""

    def redirect_request(  # noqa: PLR0917 - the library's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https://") and not newurl.lower().startswith("https://"):
            raise ValueError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def take(url: str, path: Path, *, resume: bool, pulse: Callable[[], None]) -> None:
    """Download to `path`, in a few attempts; `resume` where a checksum will tell whether the halves fit.

    `pulse` is called with each piece, and ends the transfer by raising.

    Raises:
        OSError: no answer, or a refusal.
        ValueError: not what can be taken: another scheme, a redirect from https to http, or always cut short.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError("not an http(s) address")
    opener = urllib.request.build_opener(_Redirects)
    for attempt in range(1, ATTEMPTS + 1):
        if not resume:
            path.unlink(missing_ok=True)
        try:
            _attempt(opener, url, path, pulse)
        except (_CutError, ConnectionError, TimeoutError):
            if attempt == ATTEMPTS:
                raise
            pulse()
            time.sleep(PAUSE * attempt)
        else:
            return


def _attempt(opener: urllib.request.OpenerDirector, url: str, path: Path, pulse: Callable[[], None]) -> None:
    have = path.stat().st_size if path.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - the scheme is checked
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            announced = answer.headers.get("Content-Length")
            with path.open("ab" if answer.status == 206 else "wb") as file:  # noqa: PLR2004 - Partial Content
                came = _copy(answer, file, pulse)
    except HTTPError as error:
        if error.code == 416 and have:  # noqa: PLR2004 - the range is beyond the end
            path.unlink()
            raise _CutError("what came is longer than the whole") from error
        if error.code in _BUSY or error.code >= 500:  # noqa: PLR2004 - the server's own errors
            raise _CutError(str(error)) from error
        raise
    except HTTPException as error:
        raise _CutError(f"a broken answer: {error!r}") from error
    if announced is not None and came != int(announced):
        raise _CutError(f"cut short: {came} of {announced} bytes")


def _copy(answer: HTTPResponse, file: IO[bytes], pulse: Callable[[], None]) -> int:
    came = counted = 0
    since = time.monotonic()
    while piece := answer.read1(1 << 20):
        pulse()
        file.write(piece)
        came += len(piece)
        now = time.monotonic()
        if now - since >= PATIENCE:
            if came - counted < SLOWEST * PATIENCE:
                raise _CutError(f"less than {SLOWEST} bytes a second came for {PATIENCE:.0f} s")
            counted, since = came, now
    return came
