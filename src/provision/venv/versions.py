"""Versions as pip writes them and as conda does: what can be said in both is carried over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from provision.environment.condition import Comparison, Every
from provision.environment.matchspec import parse

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from provision.environment.condition import Condition
    from provision.environment.matchspec import MatchSpec


def to_conda(name: str, asked: SpecifierSet) -> str:
    """Return the match specification of a package in the versions that pip was asked for.

    Without them where conda cannot say it.
    """
    parts = [
        # `==1.2.*` is what conda writes as `1.2.*`.
        one.version if one.version.endswith(".*") and one.operator == "==" else f"{one.operator[:2]}{one.version}"
        for one in sorted(asked, key=str)
    ]
    text = f"{name} {','.join(parts)}" if parts and parts[0][0].isdigit() else f"{name}{','.join(parts)}"
    try:
        parse(text)
    except ValueError:
        return name
    return text


def to_pip(distribution: str, asked: MatchSpec) -> str | None:
    """Return the requirement of a distribution in the versions that conda is asked for; ``None``: pip cannot say it."""
    versions = _specifier(asked.version) if asked.version is not None else ""
    if versions is None:
        return None
    text = f"{distribution}{versions}"
    try:
        Requirement(text)
    except InvalidRequirement:
        return None
    return text


def _specifier(condition: Condition) -> str | None:
    if isinstance(condition, Every):
        parts = [_specifier(one) for one in condition.parts]
        return None if None in parts else ",".join(one for one in parts if one)
    if not isinstance(condition, Comparison):
        return None
    if condition.bound is None:
        return "" if condition.operator == "*" else None
    text = condition.bound.text
    if condition.operator == "=":
        return f"=={text}.*"
    if condition.operator == "!=*":
        return f"!={text}.*"
    return f"{condition.operator}{text}"
