"""Text from hosts and files, made safe to print: it can move, hide and reorder nothing on the screen."""

from __future__ import annotations

_SPACES = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
"""Spaces that are not `isprintable` and do no harm; Chinese text uses the last."""

_UNSEEN = frozenset(
    chr(one)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
    )
    for one in range(first, last + 1)
)
"""Letters and marks without a shape: Default_Ignorable_Code_Point of Unicode, and the empty Braille cell."""
_SELECTORS = range(0xE0100, 0xE01F0)

_LAST_BYTE, _LAST_SHORT = 0xFF, 0xFFFF
_CUT = "..."
_SHORT = {"\t": "\\t", "\r": "\\r"}


def visible(text: str) -> str:
    r"""Return the text with each control, format, unassigned and unseen character but newline escaped: ``\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one == "\n" or _seen(one) else _escaped(one) for one in text)


def one_line(text: str) -> str:
    """Return the text safe to print within a line: newlines are shown escaped too."""
    return visible(text).replace("\n", "\\n")


def output_line(text: str) -> str:
    """Return a line that a program printed, safe to print: tabs become spaces, the rest is as in `one_line`."""
    return one_line(text.rstrip().expandtabs(8))


def shortened(text: str, columns: int) -> str:
    """Return the text, cut to so many columns of a terminal; dots say that it was."""
    if _width(text) <= columns:
        return text
    # Each character counts for a column at least: a host may send millions.
    text = text[:columns]
    while _width(text) > columns - len(_CUT):
        text = text[:-1]
    return text.rstrip() + _CUT


def without_name(text: str, name: str) -> str:
    """Return a text without the host's name in front, for where the name stands already."""
    while text.startswith(f"{name}: "):
        text = text.removeprefix(f"{name}: ")
    return text


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _seen(one: str) -> bool:
    if one.isprintable():
        return one not in _UNSEEN and ord(one) not in _SELECTORS
    return one in _SPACES


def _escaped(one: str) -> str:
    code = ord(one)
    if one in _SHORT:
        return _SHORT[one]
    if code <= _LAST_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_SHORT else f"\\U{code:08x}"
