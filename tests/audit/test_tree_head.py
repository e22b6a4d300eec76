"""Tree heads: the tree that grows, the checkpoint that is signed, in the form that others read."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.audit.merkle import EMPTY_ROOT, compute_root
from eid.audit.tree_head import (
    ALGORITHM,
    Checkpoint,
    Entry,
    Frontier,
    Seal,
    SealedLog,
    check_origin,
    decode_checkpoint,
    decode_entries,
    decode_frontier,
    hash_entries,
    sign_checkpoint,
    verify_checkpoint,
)
from eid.errors import DecodeError, Reason, VerificationError
from eid.keystore.software import SoftwareSigner
from tests.builders.sweep import examples

NOW = datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC)
ORIGIN = "audit.example/log"
KEY = SoftwareSigner("audit", ec.generate_private_key(ec.SECP256R1()), ALGORITHM)
CHECKPOINT = Checkpoint(ORIGIN, 3, hashlib.sha256(b"root").digest(), NOW)
NOTE = sign_checkpoint(CHECKPOINT, KEY)
PARTS = 34
HASH = st.binary(min_size=32, max_size=32)


@given(st.lists(HASH, max_size=70), st.integers(0, 70))
@settings(max_examples=examples(60))
def test_a_tree_that_grows_is_the_tree_over_all(leaves: list[bytes], first: int) -> None:
    grown = Frontier().extend(leaves[:first])
    kept = decode_frontier(grown.size, grown.encode())
    assert kept == grown
    assert kept.extend(leaves[first:]).root() == compute_root(leaves)


def test_an_empty_tree() -> None:
    assert Frontier().root() == EMPTY_ROOT
    assert decode_frontier(0, b"") == Frontier()


@pytest.mark.parametrize(("size", "raw"), [(1, b""), (2, bytes(64)), (3, bytes(63)), (-1, bytes(32))])
def test_peaks_that_go_with_no_tree(size: int, raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_frontier(size, raw)


@given(st.lists(st.builds(Entry, st.integers(0, 255), st.integers(0, (1 << 64) - 1), HASH), max_size=5))
def test_entries_come_back(entries: list[Entry]) -> None:
    raw = b"".join(entry.encode() for entry in entries)
    assert decode_entries(raw) == tuple(entries)
    assert len(raw) == 41 * len(entries)


@pytest.mark.parametrize("length", [1, 40, 42])
def test_entries_cut_off(length: int) -> None:
    with pytest.raises(DecodeError, match="41 octets"):
        decode_entries(bytes(length))


def test_the_note_as_others_read_it() -> None:
    """C2SP tlog-checkpoint and signed-note, taken apart here by hand."""
    text, _, signature_line = NOTE.rpartition("\n\n")
    assert text.split("\n") == [
        ORIGIN,
        "3",
        base64.b64encode(CHECKPOINT.root).decode(),
        "sealed 2026-11-22T12:00:00.000005+00:00",
    ]
    dash, name, encoded = signature_line.rstrip("\n").split(" ")
    raw = base64.b64decode(encoded)
    assert (dash, name, raw[:4]) == ("\u2014", ORIGIN, hashlib.sha256(KEY.public_key_info).digest()[:4])
    public_key = load_der_public_key(KEY.public_key_info)
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    public_key.verify(raw[4:], (text + "\n").encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public_key.verify(raw[4:], text.encode(), ec.ECDSA(hashes.SHA256()))


def test_the_checkpoint_comes_back() -> None:
    assert verify_checkpoint(NOTE, ORIGIN, KEY.public_key_info) == CHECKPOINT
    checkpoint, ((name, _, _),) = decode_checkpoint(NOTE)
    assert (checkpoint, name) == (CHECKPOINT, ORIGIN)


def test_signatures_of_others_are_passed_over() -> None:
    """A witness may sign below (C2SP signed-note, "Signatures")."""
    witness = SoftwareSigner("witness", ec.generate_private_key(ec.SECP256R1()), ALGORITHM)
    line = sign_checkpoint(CHECKPOINT, witness).rpartition("\n\n")[2].replace(ORIGIN, "witness.example")
    assert verify_checkpoint(NOTE + line, ORIGIN, KEY.public_key_info) == CHECKPOINT
    with pytest.raises(VerificationError) as caught:
        verify_checkpoint(NOTE.rpartition("\n\n")[0] + "\n\n" + line, ORIGIN, KEY.public_key_info)
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


@pytest.mark.parametrize("part", range(PARTS))  # not its length: that of a signature is not always the same
def test_every_change_is_found(part: int) -> None:
    raw = bytearray(NOTE.encode())
    raw[part * len(raw) // PARTS] ^= 1
    with pytest.raises((DecodeError, VerificationError)):
        verify_checkpoint(raw.decode("utf-8", errors="replace"), ORIGIN, KEY.public_key_info)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
@settings(max_examples=examples(60))
def test_any_text(text: str) -> None:
    for note in (text, f"{ORIGIN}\n1\n{text}", f"{NOTE.rpartition(chr(10))[0]}{text}"):
        if note != NOTE:
            with pytest.raises(DecodeError):
                decode_checkpoint(note)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n3\n", "\n03\n"),
        ("\n3\n", "\n-3\n"),
        ("\n3\n", "\n\u0663\n"),
        ("+00:00", "+01:00"),
        ("+00:00", ""),
        ("sealed ", "sealed  "),
        ("\u2014 ", "- "),
        (ORIGIN, "with space"),
        ("\n\n", "\n"),
        ("=\n", "\n"),
    ],
)
def test_checkpoints_are_written_in_one_way(old: str, new: str) -> None:
    with pytest.raises(DecodeError):
        decode_checkpoint(NOTE.replace(old, new, 1))


def test_long_notes() -> None:
    with pytest.raises(DecodeError, match="at most"):
        decode_checkpoint(NOTE + "x" * 1024)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\n", "x" * 129, "a\u2028"])
def test_names_that_cannot_stand_in_a_note(origin: str) -> None:
    with pytest.raises(DecodeError):
        check_origin(origin)


def seals() -> list[Seal]:
    tree, made = Frontier(), []
    for step in range(3):
        entries = [Entry(step, number, hashlib.sha256(bytes((step, number))).digest()) for number in (1, 2, 3)]
        tree = tree.extend(hash_entries(entries))
        note = sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root(), NOW + timedelta(seconds=step)), KEY)
        made.append(Seal(tree.size, b"".join(entry.encode() for entry in entries), note))
    return made


def test_a_log_of_seals() -> None:
    log = SealedLog(ORIGIN, KEY.public_key_info)
    assert [len(log.accept(seal)) for seal in seals()] == [3, 3, 3]
    assert log.frontier.size == 9


@pytest.mark.parametrize("order", [(1,), (0, 2), (0, 0), (0, 1, 1)])
def test_seals_out_of_order(order: tuple[int, ...]) -> None:
    log, made = SealedLog(ORIGIN, KEY.public_key_info), seals()
    for number in order[:-1]:
        log.accept(made[number])
    before = log.frontier
    with pytest.raises(VerificationError, match="does not follow"):
        log.accept(made[order[-1]])
    assert log.frontier == before


def test_a_seal_under_another_number() -> None:
    first = seals()[0]
    with pytest.raises(VerificationError, match="tree head 4 does not follow"):
        SealedLog(ORIGIN, KEY.public_key_info).accept(Seal(4, first.entries, first.checkpoint))
