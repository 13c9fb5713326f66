"""A condition on a conda version: ``>=1.2,<2|3.*``.

Source: "Package match specifications" in the conda-build documentation, and CEP 29 (conda/ceps).
A comma binds tighter than a bar; parentheses group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from provision.environment.version import Version

_TOKEN = re.compile(r"[|,()]|[^|,()]+")
_OPERATION = re.compile(r"(===|==|!=|<=|>=|~=|<|>|=)?(.*)\Z", re.DOTALL)
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operator with its operand: a relation, ``=`` (below), ``!=*`` (not below), ``*`` or ``glob``."""

    operator: str
    bound: Version | None
    pattern: str = ""

    def holds(self, version: Version) -> bool:
        """Whether the version satisfies it."""
        if self.bound is None:
            return self.operator == "*" or fnmatchcase(version.text.lower(), self.pattern)
        below = version.starts_with(self.bound)
        return {
            "==": version == self.bound,
            "!=": version != self.bound,
            "<": version < self.bound,
            "<=": version <= self.bound,
            ">": version > self.bound,
            ">=": version >= self.bound,
            "=": below,
            "!=*": not below,
            "~=": version.compatible_with(self.bound),
        }[self.operator]


@dataclass(frozen=True, slots=True)
class Every:
    """All parts must hold."""

    parts: tuple[Condition, ...]

    def holds(self, version: Version) -> bool:
        """Whether the version satisfies every part."""
        return all(part.holds(version) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """One part must hold."""

    parts: tuple[Condition, ...]

    def holds(self, version: Version) -> bool:
        """Whether the version satisfies a part."""
        return any(part.holds(version) for part in self.parts)


Condition: TypeAlias = "Comparison | Every | Some"


def parse_condition(text: str) -> Condition:
    """Return the condition that the text means.

    Raises:
        ValueError: With a one-line reason.
    """
    plain = re.sub(r"\s*([|,()])\s*", r"\1", text.strip())
    plain = re.sub(r"([=<>!~])\s+", r"\1", plain)
    if re.search(r"\s", plain):
        raise ValueError(f"there is a space inside the version {text!r}")
    tokens = _TOKEN.findall(plain)
    condition, rest = _some(tokens, text, 0)
    if rest:
        raise ValueError(f"the parentheses of {text!r} do not match")
    return condition


def _some(tokens: list[str], text: str, depth: int) -> tuple[Condition, list[str]]:
    parts = []
    while True:
        part, tokens = _every(tokens, text, depth)
        parts.append(part)
        if not tokens or tokens[0] != "|":
            return (parts[0] if len(parts) == 1 else Some(tuple(parts))), tokens
        tokens = tokens[1:]


def _every(tokens: list[str], text: str, depth: int) -> tuple[Condition, list[str]]:
    parts = []
    while True:
        part, tokens = _one(tokens, text, depth)
        parts.append(part)
        if not tokens or tokens[0] != ",":
            return (parts[0] if len(parts) == 1 else Every(tuple(parts))), tokens
        tokens = tokens[1:]


def _one(tokens: list[str], text: str, depth: int) -> tuple[Condition, list[str]]:
    if not tokens or tokens[0] in "|,)":
        raise ValueError(f"a version is missing in {text!r}")
    if tokens[0] != "(":
        return comparison(tokens[0]), tokens[1:]
    if depth == _DEEPEST:
        raise ValueError("the parentheses of a version are nested too deep")
    inner, rest = _some(tokens[1:], text, depth + 1)
    if not rest or rest[0] != ")":
        raise ValueError(f"the parentheses of {text!r} do not match")
    return inner, rest[1:]


def comparison(text: str) -> Comparison:
    """Return one operator with its operand.

    Raises:
        ValueError: With a one-line reason.
    """
    match = _OPERATION.match(text)
    operator, operand = (match[1] or "", match[2]) if match else ("", text)
    if operator == "===":
        raise ValueError(f"{text!r}: conda has no operator '==='")
    if not operand:
        raise ValueError(f"{text!r}: a version is missing after {operator!r}")
    if operand[0] in "=<>!~":
        raise ValueError(f"{text!r}: {operator + operand[0]!r} is not an operator of conda")
    if operand[0] == "^" or operand[-1] == "$":
        raise ValueError(f"{text!r}: regular expressions are not supported, write a range")
    if not operand.strip("*."):
        return _anything(text, operator)
    stem = operand.rstrip("*").rstrip(".") if operand.endswith("*") else operand
    if "*" in stem:
        if operator not in {"", "=", "=="}:
            raise ValueError(f"{text!r}: a '*' inside a version goes with no operator")
        return Comparison("glob", None, operand.lower())
    return Comparison(_relation(operator, below=stem != operand), Version.parse(stem))


def _anything(text: str, operator: str) -> Comparison:
    if operator in {"", "=", "==", ">="}:
        return Comparison("*", None)
    raise ValueError(f"{text!r}: nothing can satisfy this")


def _relation(operator: str, *, below: bool) -> str:
    # conda and its solvers ignore `.*` after an order relation; with `==` and `!=` it means the series.
    if below and operator in {"", "=", "=="}:
        return "="
    if below and operator == "!=":
        return "!=*"
    return operator or "=="
