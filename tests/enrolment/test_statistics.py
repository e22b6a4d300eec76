"""Suppression: what is small is not shown, and cannot be computed from what is."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from eid.enrolment.statistics import SMALLEST, suppress
from tests.builders.sweep import examples


def test_large_counts_are_shown():
    counts = {("rabat", "card", "1"): 7, ("rabat", "card", "2"): 9, ("paris", "card", "1"): 0}
    shown = suppress(counts)
    assert shown[()] == 16
    assert shown["rabat", "card"] == 16
    assert shown["paris", "card", "1"] == 0
    assert None not in shown.values()


def test_a_small_count_takes_another_with_it():
    shown = suppress({("rabat", "card", "1"): 3, ("rabat", "card", "2"): 9, ("rabat", "card", "3"): 20})
    assert shown == {
        (): 32,
        ("rabat",): 32,
        ("rabat", "card"): 32,
        ("rabat", "card", "1"): None,
        ("rabat", "card", "2"): None,  # or it would be 32 - 9 - 20
        ("rabat", "card", "3"): 20,
    }


def test_two_that_are_too_small_together():
    """Of two counts with the sum 2 each is 1."""
    shown = suppress({("a", "x", str(day)): count for day, count in enumerate((1, 1, 40, 50))})
    assert [shown["a", "x", str(day)] for day in range(4)] == [None, None, None, 50]


def test_a_sum_that_is_all_of_one_small_count():
    shown = suppress({("a", "x", "1"): 2, ("b", "x", "1"): 30, ("c", "x", "1"): 40})
    assert shown[("a",)] is None
    assert shown["a", "x"] is None
    assert shown[("b",)] is None, "else 72 - 40 - 30"
    assert shown["b", "x", "1"] is None, "a suppressed sum has a suppressed part"
    assert (shown[()], shown[("c",)], shown["c", "x", "1"]) == (72, 40, 40)


def test_nothing_but_small_counts():
    shown = suppress({("a", "x", "1"): 2, ("b", "x", "1"): 1})
    assert set(shown.values()) == {None}
    assert suppress({}) == {(): 0}


leaves = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from("123")),
    st.one_of(st.integers(0, 6), st.integers(0, 40)),
    max_size=12,
)


@settings(max_examples=examples(150))
@given(leaves)
def test_no_suppressed_count_can_be_computed(counts):
    """Linear algebra over all sums that tie what is shown and what is not together."""
    shown = suppress(counts)
    truth = {path: sum(count for leaf, count in counts.items() if leaf[: len(path)] == path) for path in shown}
    assert all(value in (None, truth[path]) for path, value in shown.items())
    assert all(shown[path] is None for path, count in truth.items() if 0 < count < SMALLEST)
    unknown = sorted(path for path, value in shown.items() if value is None)
    lines = []
    for total in shown:
        parts = [path for path in shown if len(path) == len(total) + 1 and path[: len(total)] == total]
        if parts:
            row = {total: Fraction(1), **dict.fromkeys(parts, Fraction(-1))}
            lines.append({path: factor for path, factor in row.items() if shown[path] is None})
    for path in _determined(unknown, lines):
        raise AssertionError(f"{path} can be computed: {shown}")


@settings(max_examples=examples(60))
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_what_is_suppressed_could_be_anything_small_or_more(counts):
    """Every way of filling in one line: a small count is not narrowed down to fewer values than the limit."""
    shown = suppress({("a", "x", str(day)): count for day, count in enumerate(counts)})
    line = [shown["a", "x", str(day)] for day in range(len(counts))]
    total = shown["a", "x"]
    hidden = [place for place, count in enumerate(line) if count is None]
    if not hidden or total is None:
        return
    left = total - sum(count for count in line if count is not None)
    fills = [fill for fill in product(range(1, left + 1), repeat=len(hidden) - 1) if sum(fill) < left]
    for place in range(len(hidden) - 1):
        assert len({fill[place] for fill in fills}) >= SMALLEST


def _determined(unknown, lines):
    """Unknowns with one possible value: those whose unit vector is a combination of the lines."""
    basis = {}
    for line in lines:
        rest = _reduce(line, basis)
        if rest:
            pivot = min(rest)
            rest = {path: factor / rest[pivot] for path, factor in rest.items()}
            basis = {key: _eliminate(row, pivot, rest) for key, row in basis.items()}
            basis[pivot] = rest
    return [path for path in unknown if basis.get(path) == {path: 1}]


def _reduce(line, basis):
    for pivot, row in basis.items():
        line = _eliminate(line, pivot, row)
    return line


def _eliminate(line, pivot, row):
    factor = line.get(pivot, Fraction(0))
    mixed = {path: line.get(path, Fraction(0)) - factor * row.get(path, Fraction(0)) for path in {*line, *row}}
    return {path: value for path, value in mixed.items() if value}
