"""The constructors written out for the compiled copy: the values that `dataclass` makes, or the class as it stood."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
rewrite = runpy.run_path(str(ROOT / ".ci" / "constructors.py"))["rewrite"]

SOURCE = '''
from dataclasses import dataclass, field

@dataclass(slots=True)
class Whole:
    """All kinds of fields."""

    first: int
    second: str = field(repr=False)
    third: str | None = None
    fourth: list[int] = field(default_factory=list)
    fifth: int = field(default=5, compare=False)
    sixth: int = field(init=False)

    def __post_init__(self) -> None:
        self.sixth = self.first + 1

    def double(self) -> int:
        return 2 * self.first
'''
LEFT_ALONE = (
    "@dataclass(frozen=True, kw_only=True)\nclass A:\n    x: int\n",
    "@dataclass(frozen=True)\nclass A(B):\n    x: int\n",
    "@dataclass(frozen=True)\nclass A:\n    x: list[int] | None = field(default_factory=list)\n",
    "@dataclass(frozen=True)\nclass A:\n    x: ClassVar[int]\n",
    "@dataclass(frozen=True)\nclass A:\n    x: int = field(kw_only=True)\n",
    "@dataclass(frozen=True)\nclass A:\n    x: int = field(default=5, init=False)\n",
    "@final\n@dataclass(frozen=True)\nclass A:\n    x: int\n",
    "class A:\n    x: int\n",
)


def _load(source: str) -> Any:
    found: dict[str, Any] = {}
    exec(source, found)
    return found["Whole"]


def test_written_out_constructor_makes_the_same_values() -> None:
    made, written = _load(SOURCE), _load(rewrite(SOURCE))
    assert "init=False" in rewrite(SOURCE)
    assert "__init__" in rewrite(SOURCE)
    for arguments, named in (((1, "b"), {}), ((7, "b", "c", [1]), {"fifth": 6})):
        one, other = made(*arguments, **named), written(*arguments, **named)
        assert repr(one) == repr(other)
        assert one.second == other.second
        assert other.double() == 2 * other.first
    assert written(1, "b").fourth is not written(1, "b").fourth


def test_written_out_constructor_takes_the_same_arguments() -> None:
    taken = [list(inspect.signature(_load(text)).parameters) for text in (SOURCE, rewrite(SOURCE))]
    assert taken[0] == taken[1] == ["first", "second", "third", "fourth", "fifth"]


@pytest.mark.parametrize("source", LEFT_ALONE)
def test_unusual_class_stays_as_it_is(source: str) -> None:
    assert rewrite(source) == source


def test_frozen_class_stays_frozen() -> None:
    assert rewrite("@dataclass(frozen=True)\nclass A:\n    x: int\n").startswith("@dataclass(init=False, frozen=True)")
