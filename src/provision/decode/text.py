"""Bytes of a file become text, or are refused: what no editor shows must not be in a file that acts."""

from __future__ import annotations

import re

LIMIT = 1 << 20
"""Largest file that is read, in bytes."""

# C0 without tab and line ends, DEL, C1, line separators, bidirectional controls, lone surrogates.
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
# Soft hyphen, zero-width, invisible operators, annotation marks: some may stand in comments, none in values.
_UNSEEN = "\u00ad\u200b-\u200d\u2060-\u2064\ufeff\ufff9-\ufffb"


class RefusedTextError(ValueError):
    """The bytes are not text that can be taken; ``line`` counts from 1, ``path`` leads to the value."""

    def __init__(self, line: int, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.line = line
        self.path = path
        self.message = message


def text_of(data: bytes) -> str:
    """Return the text of UTF-8 bytes, without a byte order mark.

    Raises:
        RefusedTextError: another encoding, more than `LIMIT` bytes, or characters that do not show.
    """
    if len(data) > LIMIT:
        raise RefusedTextError(1, f"larger than {LIMIT >> 20} MiB: this is not such a file")
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise RefusedTextError(1, "encoded as UTF-16 or UTF-32, expected UTF-8: save it as UTF-8 in your editor")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8 in your editor"
        raise RefusedTextError(line, message) from None
    found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]" if text.isascii() else f"[{_CONTROLS}]", text)
    if found is None:
        return text
    line = text.count("\n", 0, found.start()) + 1
    if found.group() == "\x00":
        raise RefusedTextError(line, "a NUL character, expected UTF-8 text")
    raise RefusedTextError(line, f"an invisible character, {_escape(found)}: remove it")


def invisible(value: str) -> str | None:
    """Return the first character that may not stand in a value, escaped, or ``None``."""
    if value.isprintable():
        return None
    found = re.search(f"[{_CONTROLS}{_UNSEEN}]", value)
    return None if found is None else _escape(found)


def printable(value: str, limit: int = 60) -> str:
    """Return the text with everything invisible escaped, cut in the middle where it is long."""
    shown = value if len(value) <= 2 * limit else value[:limit] + value[-limit:]
    if not shown.isprintable():
        shown = re.sub(f"[{_CONTROLS}{_UNSEEN}\t\n\r]", _escape, shown)
    if len(shown) <= limit:
        return shown
    half = limit // 2
    return f"{shown[: half - 1]}...{shown[-(half - 2) :]}"


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    named = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    if named is not None:
        return named
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - one byte or more
