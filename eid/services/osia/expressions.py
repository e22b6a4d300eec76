"""OSIA's search expressions: attribute, operator, value; all of them must hold."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
}
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Expression:
    """One condition. operator: one of <, >, =, >=, <=, !=; days and moments are texts in ISO 8601."""

    attribute: str
    operator: str
    value: Value

    def holds_of(self, attributes: Mapping[str, Any]) -> bool:
        """Whether it holds; never of what has no such attribute, or one of another type."""
        found = attributes.get(self.attribute)
        if found is None or isinstance(found, dict | list) or _kind(found) is not _kind(self.value):
            return False
        return _OPERATORS[self.operator](found, self.value)


def matches(expressions: Iterable[Expression], attributes: Mapping[str, Any]) -> bool:
    """Whether all of them hold."""
    return all(item.holds_of(attributes) for item in expressions)


def wanted(expressions: Iterable[Expression], attribute: str) -> str | None:
    """The text that an attribute must be equal to, None where no expression says so."""
    for item in expressions:
        if item.attribute == attribute and item.operator == "=" and isinstance(item.value, str):
            return item.value
    return None


def _kind(value: object) -> type:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)
