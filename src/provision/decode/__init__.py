"""YAML text becomes frozen types, by their annotations alone, with ``file:line`` in every error."""

from __future__ import annotations

from provision.decode.document import Document, Path, load, parse
from provision.decode.near import near_match
from provision.decode.rules import Rule
from provision.decode.text import printable

__all__ = ["Document", "Path", "Rule", "load", "near_match", "parse", "printable"]
