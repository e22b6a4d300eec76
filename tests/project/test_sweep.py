"""A sample of places keeps both ends, and is the whole where the whole is asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.builders.sweep import places


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 100])
def test_a_sample_has_both_ends_and_the_whole_has_all(count: int) -> None:
    every = range(count)
    sample = places(every, 4, whole=False)
    assert sample[:1] == list(every[:1])
    assert sample[-1:] == list(every[-1:])
    assert all(0 < later - earlier <= 4 for earlier, later in pairwise(sample))
    assert places(every, 4, whole=True) == list(every)
