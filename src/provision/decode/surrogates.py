"""Lone surrogates: what Python makes of bytes that are no UTF-8, and what no JSON reader and no UTF-8 file takes."""

from __future__ import annotations


def encodable(text: str) -> str:
    r"""Return the text with each lone surrogate written out, as ``\udce9``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
