"""A sample of places keeps both ends, and is the whole where the whole is asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.builders.sweep import examples, places


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 100])
def test_a_sample_has_both_ends_and_the_whole_has_all(count: int) -> None:
    every = range(count)
    sample = places(every, 4, whole=False)
    assert sample[:1] == list(every[:1])
    assert sample[-1:] == list(every[-1:])
    assert all(0 < later - earlier <= 4 for earlier, later in pairwise(sample))
    assert places(every, 4, whole=True) == list(every)


@pytest.mark.parametrize(("number", "tried"), [(300, 100), (100, 34), (40, 14), (1, 1)])
def test_of_the_examples_a_third_is_tried(number: int, tried: int) -> None:
    assert (examples(number, whole=False), examples(number, whole=True)) == (tried, number)
