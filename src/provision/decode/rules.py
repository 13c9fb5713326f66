"""What a value must be beyond its type: attached to annotations as ``Annotated[str, RULE]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Rule:
    """A check on one decoded value.

    ``check`` returns the value, normalised perhaps, or raises `ValueError` with what was expected.
    ``schema`` is what a JSON Schema can say of it.
    """

    __slots__ = ("check", "schema")

    def __init__(self, check: Callable[[Any], Any], schema: Mapping[str, Any] | None = None) -> None:
        self.check = check
        self.schema = schema or {}
