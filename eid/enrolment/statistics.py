"""Counts that may be published: small ones are suppressed, and with them whatever would give them away.

Counts stand in one tree: all, post, service, day. Only sums along this tree are published, so the arithmetic that ties
them together is known whole, and a rule for each line of it (a total and its parts) is enough:

- a count below the smallest that is shown is suppressed;
- of a line's parts none is suppressed, or at least two, which leave the smallest of them room to be anything up to the
  limit; where the parts do not suffice, the total is suppressed, too;
- under a suppressed total at least one part is suppressed, unless it has none.

No suppressed count can then be computed from the others: the lines in which something is unknown form a tree in which
each has two unknowns or more, so that any of them can be changed and the change carried on to an end. Further sums of
the same counts (by service over all posts, by day) would tie the lines into rings; they are not published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

SMALLEST: Final = 5
EVENTS: Final = ("requested", "validated", "booked", "delivered")
Path: TypeAlias = tuple[str, ...]
"""Post, service, day, as far as they are named; () is all."""


@dataclass(slots=True)
class _Node:
    path: Path
    count: int = 0
    parts: dict[str, _Node] = field(default_factory=dict)
    is_hidden: bool = False

    def walk(self) -> Iterator[_Node]:
        yield self
        for part in self.parts.values():
            yield from part.walk()


def suppress(counts: Mapping[Path, int], smallest: int = SMALLEST) -> dict[Path, int | None]:
    """Every count and every sum along the tree by its path; None where it is not to be known.

    Args:
        counts: of the leaves, whose paths are all of one length. smallest: the smallest count that is shown but zero.
    """
    root = _Node(())
    for path, count in sorted(counts.items()):
        _add(root, path, count)
    for node in root.walk():
        node.is_hidden = 0 < node.count < smallest
    _protect(root, smallest)
    return {node.path: None if node.is_hidden else node.count for node in root.walk()}


def _add(root: _Node, path: Path, count: int) -> None:
    node = root
    node.count += count
    for depth, name in enumerate(path, start=1):
        node = node.parts.setdefault(name, _Node(path[:depth]))
        node.count += count


def _protect(total: _Node, smallest: int) -> None:
    """Suppress what is needed in the lines below a total, then in its own."""
    for part in total.parts.values():
        _protect(part, smallest)
    hidden = [part for part in total.parts.values() if part.is_hidden]
    while hidden and not total.is_hidden and not _is_safe(hidden, smallest):
        further = _smallest_shown(total)
        if further is None:
            total.is_hidden = True
        else:
            _hide(further)
            hidden.append(further)


def _is_safe(hidden: list[_Node], smallest: int) -> bool:
    """Whoever knows the sum knows that each of the others is one at least: what that leaves must reach the limit."""
    others = len(hidden) - 1
    return others >= 1 and sum(part.count for part in hidden) - others >= smallest


def _hide(node: _Node) -> None:
    """Suppress a sum, and a part of it, by which it could be computed."""
    node.is_hidden = True
    if node.parts and not any(part.is_hidden for part in node.parts.values()):
        least = _smallest_shown(node)
        if least is not None:
            _hide(least)


def _smallest_shown(total: _Node) -> _Node | None:
    """The smallest part that is shown and not zero: a zero is known anyway."""
    shown = [part for part in total.parts.values() if not part.is_hidden and part.count]
    return min(shown, key=lambda part: (part.count, part.path), default=None)
