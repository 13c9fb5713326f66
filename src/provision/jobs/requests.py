"""What the programs about jobs are asked, as bytes for their stdin."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LENGTH = struct.Struct(">I")


def request(value: Mapping[str, Any]) -> bytes:
    """Return a request: its length, and the JSON compressed. Texts may stand for any bytes (surrogateescape)."""
    data = zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"), 6)
    return _LENGTH.pack(len(data)) + data
