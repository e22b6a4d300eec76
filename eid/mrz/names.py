"""The name field: primary identifier, two fillers, secondary identifier, and its truncation (Doc 9303-3 4.6)."""

from __future__ import annotations

from collections.abc import Sequence

FILLER = "<"
SEPARATOR = "<<"


def _length(components: Sequence[str]) -> int:
    """Characters of the components and the single fillers between them."""
    return sum(map(len, components)) + len(components) - 1


def _drop_to(components: Sequence[str], width: int) -> list[str]:
    """The components whose initials alone fit into `width`; the last ones go first."""
    return list(components[: max(1, (width + 1) // 2)])


def _cut_from_end(components: Sequence[str], width: int) -> str:
    """Take characters from the last component, then the one before, leaving an initial of each (9303-4 4.2.3.1).

    The last character is a letter: it tells that the name may have been truncated.
    """
    kept = _drop_to(components, width)
    excess = _length(kept) - width
    for index in range(len(kept) - 1, -1, -1):
        taken = min(max(excess, 0), len(kept[index]) - 1)
        kept[index] = kept[index][: len(kept[index]) - taken]
        excess -= taken
    return FILLER.join(kept)


def _cut_to_initials(components: Sequence[str], width: int) -> str:
    """Turn components into initials from the last on, the first one only as far as needed (9303-4 4.2.3.2 a)."""
    kept = _drop_to(components, width)
    for index in range(len(kept) - 1, 0, -1):
        if _length(kept) <= width:
            break
        kept[index] = kept[index][0]
    return _cut_from_end(kept, width)


def build_mrz_name(primary: str, secondary: str, width: int) -> tuple[str, bool]:
    """Write the name field of `width` characters, from identifiers in A-Z with spaces between components.

    What does not fit is cut by the first of the methods that Doc 9303-4, 9303-5 and 9303-6 4.2.3 offer, components to
    initials: of the secondary identifier while the primary leaves it at least one character, else of both.

    Returns:
        the field, and whether anything was cut.
    """
    first, second = primary.split(), secondary.split()
    whole = FILLER.join(first) + (SEPARATOR + FILLER.join(second) if second else "")
    if len(whole) <= width:
        return whole.ljust(width, FILLER), False
    if not second:
        return _cut_from_end(first, width).ljust(width, FILLER), True
    room = width - len(SEPARATOR) - 1
    head = FILLER.join(first) if _length(first) <= room else _cut_to_initials(first, room)
    tail = _cut_from_end(second, width - len(head) - len(SEPARATOR))
    return (head + SEPARATOR + tail).ljust(width, FILLER), True


def split_mrz_name(field: str) -> tuple[str, str]:
    """Primary and secondary identifier of a name field, components separated by single spaces."""
    head, _, tail = field.partition(SEPARATOR)
    return " ".join(head.replace(FILLER, " ").split()), " ".join(tail.replace(FILLER, " ").split())
