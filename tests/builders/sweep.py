"""Tests that try one thing at very many places: `make test` takes a sample of the places, `make sweep` all of them.

Properties are such tests, too: their places are the examples that Hypothesis makes up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, TypeVar

T = TypeVar("T")
IS_WHOLE: Final = os.environ.get("EID_SWEEP") == "whole"


def places(every: Iterable[T], one_in: int, whole: bool = IS_WHOLE) -> list[T]:
    """All places in `make sweep`; else the first, the last, and one in so many between them, the same in every run."""
    found = list(every)
    return found if whole else [*found[:-1:one_in], *found[-1:]]


def examples(number: int, whole: bool = IS_WHOLE) -> int:
    """How many examples of a property are tried: all of them in `make sweep`, else a third."""
    return number if whole else -(-number // 3)
