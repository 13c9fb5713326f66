# What stands above this line is compiled when something is to change.
"""The other end of a sync: messages to it, blocks from it."""

# A piece of sync_tree.py: all pieces run in one namespace, and this one imports for them.
# ruff: noqa: F401

import errno
import fcntl
import gc
import hashlib
import json
import os
import select
import stat
import struct
import sys
import time

# Tens of thousands of small values that stay to the end: looking for cycles among them is all cost.
gc.disable()

BLOCK = struct.Struct(">cI")
LONGEST_BLOCK = 1 << 20
PIECE = 1 << 18
BETWEEN = 0.5
"""Seconds between two words about the progress."""


class SyncError(Exception):
    def __init__(self, kind, message, hint=""):
        Exception.__init__(self, message)
        self.kind = kind
        self.hint = hint


class LostError(Exception):
    """The client went away, or has been silent for too long."""


class Client:
    """The other end: messages to it, blocks from it."""

    def __init__(self, nonce, silence):
        self.first = ("\n%s begin\n" % nonce).encode() if nonce else b""
        self.silence = silence
        self.told = 0.0
        os.set_blocking(1, False)

    def say(self, kind, payload):
        """Write a message; the first one goes with the begin line in one piece, as small pieces wait for each other."""
        data = memoryview(self.first + BLOCK.pack(kind, len(payload)) + payload)
        self.first = b""
        while data:
            try:
                data = data[os.write(1, data) :]
            except BlockingIOError:
                if not select.select([], [1], [], self.silence)[1]:
                    raise LostError("it reads nothing") from None
            except OSError as error:
                raise LostError(str(error)) from None

    def tell(self, kind, value):
        self.say(kind, json.dumps(value).encode())

    def progress(self, phase, files, size):
        now = time.monotonic()
        if now - self.told >= BETWEEN:
            self.told = now
            self.tell(b"P", {"phase": phase, "files": files, "bytes": size})

    def blocks(self):
        """Yield pairs of type and payload up to the end of what the client sends."""
        buffer = bytearray()
        while True:
            while len(buffer) >= BLOCK.size:
                kind, length = BLOCK.unpack_from(buffer)
                if length > LONGEST_BLOCK:
                    raise SyncError("protocol", "a block of %d bytes" % length)
                if len(buffer) < BLOCK.size + length:
                    break
                payload = bytes(memoryview(buffer)[BLOCK.size : BLOCK.size + length])
                del buffer[: BLOCK.size + length]
                if kind == b"Q":
                    return
                if kind != b"H":
                    yield kind, payload
            if not select.select([0], [], [], self.silence)[0]:
                raise LostError("it has been silent for %g s" % self.silence)
            piece = os.read(0, PIECE)
            if not piece:
                return
            buffer += piece
