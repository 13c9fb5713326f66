"""Takes a framed stream apart: what stands between the begin and the end line is the program's own output."""

from __future__ import annotations

import re


class Frame:
    """Reads one stream of a framed command, piece by piece, in bounded memory."""

    def __init__(self, nonce: str) -> None:
        self._begin = f"\n{nonce} begin\n".encode()
        # It follows the output at once, so that a last newline need not be held back until more is said.
        self._end_head = f"{nonce} end ".encode()
        # No program ends with more than 255, and we would end with the rest of a division by 256.
        self._end = re.compile(re.escape(self._end_head) + rb"(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\n")
        self._buffer = b"\n"
        self.begun = False
        self.exit_code: int | None = None
        self.noise = b""
        """What came before the frame, its last 4 KiB: the rc files' output, or why there is no frame."""

    def feed(self, piece: bytes) -> bytes:
        """Take a piece of the stream and return the program's output in it."""
        if self.exit_code is not None:
            return b""
        self._buffer += piece
        if not self.begun:
            at = self._buffer.find(self._begin)
            if at < 0:
                keep = len(self._begin) - 1
                self.noise = (self.noise + self._buffer[:-keep])[-4096:]
                self._buffer = self._buffer[-keep:]
                return b""
            self.noise = (self.noise + self._buffer[:at])[-4096:]
            self.begun = True
            self._buffer = self._buffer[at + len(self._begin) :]
        return self._payload()

    def _payload(self) -> bytes:
        found = self._end.search(self._buffer)
        if found:
            self.exit_code = int(found.group(1))
            payload, self._buffer = self._buffer[: found.start()], b""
            return payload
        payload, self._buffer = self._split(self._possible_end())
        return payload

    def _possible_end(self) -> int:
        """Return how many of the last bytes could be the start of the end line: its code may still be on the way."""
        head = self._buffer.rfind(self._end_head)
        # Only so much is held back: a host that says it is about to end and goes on must not fill our memory.
        if head >= 0 and re.fullmatch(rb"\d{0,3}", self._buffer[head + len(self._end_head) :]):
            return len(self._buffer) - head
        longest = min(len(self._buffer), len(self._end_head) - 1)
        return next((n for n in range(longest, 0, -1) if self._end_head.startswith(self._buffer[-n:])), 0)

    def _split(self, hold: int) -> tuple[bytes, bytes]:
        cut = len(self._buffer) - hold
        return self._buffer[:cut], self._buffer[cut:]

    def rest(self) -> bytes:
        """Return what is left when the stream ended without an end line."""
        rest, self._buffer = self._buffer, b""
        return rest if self.begun else (self.noise + rest)[-4096:]
