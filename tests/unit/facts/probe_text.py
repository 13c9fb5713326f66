"""The least that a probe prints, to which each test adds its own lines."""

from __future__ import annotations

LEAST = {
    "uname": "Linux box 6.8.0-49-generic x86_64",
    "clock": "1750000000",
    "uid": "1000",
    "user": "ubuntu",
    "home": "/home/ubuntu",
    "state_dir": "/home/ubuntu/.provision",
    "workdir": "/home/ubuntu/work",
}


def probe_text(*lines: str, without: str = "") -> bytes:
    """Return a probe's output with these lines in it."""
    least = [f"{key}|{text}" for key, text in LEAST.items() if key != without]
    return "\n".join([*least, *lines, "end|", ""]).encode("utf-8", "surrogateescape")
