"""The Merkle tree of RFC 6962 2.1 (RFC 9162 2.1): its root, the proofs that an entry is in it, and that it only grew.

A tree is given by the hashes of its leaves, in order; hashes have 32 octets (SHA-256).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from eid.errors import Reason, VerificationError

HASH_LENGTH: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def hash_leaf(entry: bytes) -> bytes:
    """Hash of one entry (RFC 6962 2.1)."""
    return hashlib.sha256(_LEAF + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Hash over two subtrees (RFC 6962 2.1)."""
    return hashlib.sha256(_NODE + left + right).digest()


def compute_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle Tree Hash over the hashes of the leaves."""
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    # Pairs from the left, an odd one at the end carried up as it is: the same tree as the recursive definition.
    while len(level) > 1:
        paired = [hash_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) & ~1 :]
    return level[0]


def prove_inclusion(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of one leaf, nearest sibling first (RFC 6962 2.1.1).

    Raises:
        ValueError: there is no leaf with this index; the caller's mistake.
    """
    if not 0 <= index < len(leaves):
        raise ValueError("no leaf has this index")
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*prove_inclusion(leaves[:split], index), compute_root(leaves[split:]))
    return (*prove_inclusion(leaves[split:], index - split), compute_root(leaves[:split]))


def prove_consistency(leaves: Sequence[bytes], earlier_size: int) -> tuple[bytes, ...]:
    """The proof that the tree over the first `earlier_size` leaves grew into this one (RFC 6962 2.1.2).

    Raises:
        ValueError: the earlier tree is empty or the larger; the caller's mistake.
    """
    if not 0 < earlier_size <= len(leaves):
        raise ValueError("the earlier tree has from one leaf to as many as this one")
    return _subproof(leaves, earlier_size, True)


def _subproof(leaves: Sequence[bytes], earlier: int, is_whole: bool) -> tuple[bytes, ...]:
    """SUBPROOF of RFC 6962 2.1.2; `is_whole`: the subtree is one whose root the verifier knows."""
    if earlier == len(leaves):
        return () if is_whole else (compute_root(leaves),)
    split = _split(len(leaves))
    if earlier <= split:
        return (*_subproof(leaves[:split], earlier, is_whole), compute_root(leaves[split:]))
    return (*_subproof(leaves[split:], earlier - split, False), compute_root(leaves[:split]))


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Accept that the leaf stands at this index of the tree with this root, or raise (RFC 9162 2.1.3.2).

    Raises:
        VerificationError: HASH_FAILURE.
    """
    if not 0 <= index < size:
        raise _refused("the index is not within the tree")
    node, last, computed = index, size - 1, leaf
    for sibling in path:
        if not last:
            raise _refused("the audit path is too long")
        if node & 1 or node == last:
            computed = hash_node(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = hash_node(computed, sibling)
        node, last = node >> 1, last >> 1
    if last or computed != root:
        raise _refused("the audit path does not lead to the root")


def verify_consistency(earlier: int, later: int, path: Sequence[bytes], earlier_root: bytes, later_root: bytes) -> None:
    """Accept that the later tree is the earlier one with leaves appended, or raise (RFC 9162 2.1.4.2).

    Args:
        earlier, later: sizes of the two trees.

    Raises:
        VerificationError: HASH_FAILURE.
    """
    if not 0 < earlier <= later:
        raise _refused("the earlier tree is empty or the larger")
    if earlier == later:
        if path or earlier_root != later_root:
            raise _refused("two trees of one size differ")
        return
    proof = [earlier_root, *path] if earlier & (earlier - 1) == 0 else list(path)
    if not proof:
        raise _refused("the consistency proof is empty")
    node, last = earlier - 1, later - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = proof[0]
    for sibling in proof[1:]:
        if not last:
            raise _refused("the consistency proof is too long")
        if node & 1 or node == last:
            older, newer = hash_node(sibling, older), hash_node(sibling, newer)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            newer = hash_node(newer, sibling)
        node, last = node >> 1, last >> 1
    if last or older != earlier_root or newer != later_root:
        raise _refused("the earlier tree did not grow into the later one")


def _refused(why: str) -> VerificationError:
    return VerificationError(Reason.HASH_FAILURE, why, clause="RFC 9162 2.1")
