"""The Merkle tree: the known roots of the Certificate Transparency test tree, the recursive definition, every proof."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.audit import merkle
from eid.errors import VerificationError
from tests.builders.sweep import examples

# The entries and roots that implementations of RFC 6962 share as their test tree.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [merkle.hash_leaf(number.to_bytes(4, "big")) for number in range(count)]


def define_root(hashes: list[bytes]) -> bytes:
    """MTH as RFC 6962 2.1 writes it down, by recursion."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = max(1 << exponent for exponent in range(20) if 1 << exponent < len(hashes))
    return merkle.hash_node(define_root(hashes[:split]), define_root(hashes[split:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    assert merkle.compute_root([merkle.hash_leaf(entry) for entry in ENTRIES[:size]]).hex() == ROOTS[size - 1]


def test_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle.compute_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_root_is_that_of_the_definition() -> None:
    for size in range(70):
        assert merkle.compute_root(leaves(size)) == define_root(leaves(size))


def test_every_inclusion_proof_of_small_trees() -> None:
    for size in range(1, 34):
        tree = leaves(size)
        root = merkle.compute_root(tree)
        for index in range(size):
            path = merkle.prove_inclusion(tree, index)
            assert len(path) <= (size - 1).bit_length()
            merkle.verify_inclusion(tree[index], index, size, path, root)


def test_every_consistency_proof_of_small_trees() -> None:
    for later in range(1, 34):
        tree = leaves(later)
        for earlier in range(1, later + 1):
            path = merkle.prove_consistency(tree, earlier)
            merkle.verify_consistency(
                earlier, later, path, merkle.compute_root(tree[:earlier]), merkle.compute_root(tree)
            )


@settings(max_examples=examples(150))
@given(st.integers(1, 80), st.data())
def test_a_false_inclusion_is_refused(size: int, data: st.DataObject) -> None:
    tree = leaves(size)
    root = merkle.compute_root(tree)
    index = data.draw(st.integers(0, size - 1))
    path = list(merkle.prove_inclusion(tree, index))
    other = data.draw(st.integers(-1, size + 2).filter(lambda value: value != index))
    kind = data.draw(st.sampled_from(["leaf", "index", "shorter", "longer", "changed", "root"]))
    leaf, place = tree[index], index
    match kind:
        case "leaf":
            leaf = merkle.hash_leaf(b"another")
        case "index":
            place = other
        case "shorter" if path:
            path.pop(data.draw(st.integers(0, len(path) - 1)))
        case "changed" if path:
            at = data.draw(st.integers(0, len(path) - 1))
            path[at] = merkle.hash_leaf(path[at])
        case "root":
            root = merkle.hash_leaf(root)
        case _:
            path.append(merkle.hash_leaf(b"more"))
    with pytest.raises(VerificationError):
        merkle.verify_inclusion(leaf, place, size, path, root)


@settings(max_examples=examples(150))
@given(st.integers(2, 80), st.data())
def test_a_tree_that_was_rewritten_is_refused(size: int, data: st.DataObject) -> None:
    """An entry of the earlier tree is changed: no proof that the honest log gives, whole or cut, is accepted."""
    earlier = data.draw(st.integers(1, size))
    before = leaves(size)[:earlier]
    after = leaves(size)
    after[data.draw(st.integers(0, earlier - 1))] = merkle.hash_leaf(b"rewritten")
    path = merkle.prove_consistency(after, earlier)
    cut = path[: data.draw(st.integers(0, len(path)))]
    for proof in (path, cut, (*path, path[0]) if path else (before[0],)):
        with pytest.raises(VerificationError):
            merkle.verify_consistency(earlier, size, proof, merkle.compute_root(before), merkle.compute_root(after))


@pytest.mark.parametrize(("earlier", "later"), [(0, 4), (5, 4), (4, 4)])
def test_sizes_that_prove_nothing(earlier: int, later: int) -> None:
    root = merkle.compute_root(leaves(4))
    with pytest.raises(VerificationError):
        merkle.verify_consistency(earlier, later, (root,), root, root)


@pytest.mark.parametrize(
    "call", [lambda: merkle.prove_inclusion(leaves(3), 3), lambda: merkle.prove_consistency(leaves(3), 0)]
)
def test_the_callers_mistakes(call: object) -> None:
    with pytest.raises(ValueError, match="leaf"):
        call()  # type: ignore[operator]  # a lambda of the table
