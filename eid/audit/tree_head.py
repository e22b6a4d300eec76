"""Signed tree heads over the audit log: what one entry is, how the tree grows, and the checkpoint that is signed.

An entry is 41 octets: the chain (1), the row's number in it (8, big-endian), the row's hash (32). It names the row and
holds nothing of what the row says. The tree is that of RFC 6962 over all entries in the order in which they were
sealed. The head is a checkpoint of C2SP (tlog-checkpoint), signed as a note with ECDSA on P-256 (signed-note, type 2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from eid.audit.merkle import EMPTY_ROOT, HASH_LENGTH, hash_leaf, hash_node
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.errors import DecodeError, Reason, VerificationError
from eid.keystore.ports import Signer

ENTRY_LENGTH: Final = 1 + 8 + HASH_LENGTH
MAX_CHECKPOINT: Final = 1024  # characters
ALGORITHM: Final = SignatureAlgorithm("ecdsa", "sha256")
CURVE: Final = "P-256"  # C2SP signed-note: type 0x02 SHOULD be P-256
_KEY_ID: Final = 4
_MARK: Final = "\N{EM DASH} "
_SEALED: Final = "sealed "  # the extension line: when


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf of the tree: a row of the audit log by its place and its hash (32 octets)."""

    bucket: int
    seq: int
    row_hash: bytes

    def encode(self) -> bytes:
        """Its 41 octets."""
        return bytes((self.bucket,)) + self.seq.to_bytes(8, "big") + self.row_hash


def decode_entries(raw: bytes) -> tuple[Entry, ...]:
    """Decode entries that stand one behind the other.

    Raises:
        DecodeError: the length is no multiple of 41.
    """
    if len(raw) % ENTRY_LENGTH:
        raise DecodeError(f"entries of a tree have {ENTRY_LENGTH} octets each", offset=len(raw))
    pieces = (raw[at : at + ENTRY_LENGTH] for at in range(0, len(raw), ENTRY_LENGTH))
    return tuple(Entry(piece[0], int.from_bytes(piece[1:9], "big"), piece[9:]) for piece in pieces)


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed of a tree to let it grow: its size, and the roots of its perfect subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise DecodeError("a tree has one perfect subtree for each bit of its size", clause="RFC 6962 2.1")

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """The tree with these leaves (hashes) appended."""
        size, peaks = self.size, list(self.peaks)
        for node in leaves:
            merged = node
            for _ in range((size ^ (size + 1)).bit_length() - 1):  # one merge for each trailing one of the size
                merged = hash_node(peaks.pop(), merged)
            peaks.append(merged)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """The Merkle Tree Hash (RFC 6962 2.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = hash_node(peak, root)
        return root

    def encode(self) -> bytes:
        """The peaks, one behind the other."""
        return b"".join(self.peaks)


def decode_frontier(size: int, raw: bytes) -> Frontier:
    """Decode the peaks of a tree of this size.

    Raises:
        DecodeError: their number does not go with the size.
    """
    if len(raw) % HASH_LENGTH:
        raise DecodeError("peaks of a tree have 32 octets each", offset=len(raw))
    return Frontier(size, tuple(raw[at : at + HASH_LENGTH] for at in range(0, len(raw), HASH_LENGTH)))


def hash_entries(entries: Iterable[Entry]) -> list[bytes]:
    """The leaves of entries."""
    return [hash_leaf(entry.encode()) for entry in entries]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: whose log, how many entries, the root over them (32 octets), when it was sealed (UTC)."""

    origin: str
    size: int
    root: bytes
    sealed_at: datetime

    def text(self) -> str:
        """The note text, which is what is signed."""
        moment = self.sealed_at.astimezone(UTC).isoformat(timespec="microseconds")
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{_SEALED}{moment}\n"


def check_origin(origin: str) -> str:
    """Insist on a name that can stand in a note (C2SP signed-note, "Format").

    Raises:
        DecodeError: it is empty or long, or has a space, a plus or a control character.
    """
    if not 1 <= len(origin) <= 128 or not origin.isprintable() or any(mark.isspace() or mark == "+" for mark in origin):
        raise DecodeError("the origin of an audit log is 1 to 128 characters, without spaces and plus signs")
    return origin


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The signed note.

    Raises:
        KeyStoreError: the key cannot be used.
    """
    text = checkpoint.text()
    signature = _key_id(signer.public_key_info) + signer.sign(text.encode())
    return f"{text}\n{_MARK}{check_origin(checkpoint.origin)} {base64.b64encode(signature).decode()}\n"


def decode_checkpoint(note: str) -> tuple[Checkpoint, tuple[tuple[str, bytes, bytes], ...]]:
    """Take a note apart: the checkpoint, and (key name, key identifier, signature) of each signature; none is verified.

    Raises:
        DecodeError: it is not a checkpoint as `sign_checkpoint` writes it.
    """
    if len(note) > MAX_CHECKPOINT:
        raise DecodeError(f"a checkpoint has at most {MAX_CHECKPOINT} characters")
    text, separator, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) != 4 or not signatures.endswith("\n"):
        raise DecodeError("not a checkpoint with a time", clause="C2SP tlog-checkpoint")
    checkpoint = _decode_text(lines)
    if checkpoint.text() != text + "\n":
        raise DecodeError("a checkpoint is written in one way", clause="C2SP tlog-checkpoint")
    return checkpoint, tuple(map(_decode_signature, signatures.removesuffix("\n").split("\n")))


def verify_checkpoint(note: str, origin: str, public_key_info: bytes) -> Checkpoint:
    """Accept a head that this log's key has signed, or raise.

    Raises:
        DecodeError: it is not a checkpoint.
        VerificationError: SIG_CRYPTO_FAILURE: the key has not signed it, or not for this log.
    """
    checkpoint, signatures = decode_checkpoint(note)
    wanted = (origin, _key_id(public_key_info))
    own = [signature for name, key_id, signature in signatures if (name, key_id) == wanted]
    if checkpoint.origin != origin or not own:
        raise VerificationError(Reason.SIG_CRYPTO_FAILURE, "the tree head is not signed by this log's key")
    for signature in own:
        verify_signature(load_public_key(public_key_info), ALGORITHM, checkpoint.text().encode(), signature)
    return checkpoint


@dataclass(frozen=True, slots=True)
class Seal:
    """A signed head with the entries that the head before it has not. size: of the tree, as its row or file says."""

    size: int
    entries: bytes
    checkpoint: str


class SealedLog:
    """Reads seals in order and refuses the first that does not follow from those before it."""

    def __init__(self, origin: str, public_key_info: bytes) -> None:
        self.origin = origin
        self.frontier = Frontier()
        self._public_key_info = public_key_info

    def accept(self, seal: Seal) -> tuple[Entry, ...]:
        """Take the next seal; its entries.

        Raises:
            VerificationError: HASH_FAILURE, SIG_CRYPTO_FAILURE or FORMAT_FAILURE; its detail names the head.
        """
        where = f"tree head {seal.size}"
        try:
            checkpoint = verify_checkpoint(seal.checkpoint, self.origin, self._public_key_info)
            entries = decode_entries(seal.entries)
        except DecodeError as failure:
            raise VerificationError(Reason.FORMAT_FAILURE, f"{where} is malformed: {failure}") from failure
        except VerificationError as failure:
            raise VerificationError(failure.reason, f"{where} does not carry the signature of this log") from failure
        grown = self.frontier.extend(hash_entries(entries))
        if checkpoint.size != seal.size or grown.size != checkpoint.size:
            missing = f"it follows a head of {self.frontier.size} with {len(entries)} entries"
            raise VerificationError(Reason.HASH_FAILURE, f"{where} does not follow the one before it: {missing}")
        if grown.root() != checkpoint.root:
            raise VerificationError(Reason.HASH_FAILURE, f"{where} is over other entries than those beside it")
        self.frontier = grown
        return entries


def _key_id(public_key_info: bytes) -> bytes:
    """Of type 2: the first octets of SHA-256 over the SubjectPublicKeyInfo (C2SP signed-note, "Signature types")."""
    return hashlib.sha256(public_key_info).digest()[:_KEY_ID]


def _decode_text(lines: list[str]) -> Checkpoint:
    origin, size, root, sealed = lines
    try:
        digest = base64.b64decode(root, validate=True)
        moment = datetime.fromisoformat(sealed.removeprefix(_SEALED))
    except (binascii.Error, ValueError) as failure:
        raise DecodeError("a checkpoint's root or time is malformed", clause="C2SP tlog-checkpoint") from failure
    if not (size.isascii() and size.isdecimal() and len(size) <= 19) or len(digest) != HASH_LENGTH:
        raise DecodeError("a checkpoint's size or root is malformed", clause="C2SP tlog-checkpoint")
    if moment.utcoffset() != timedelta():
        raise DecodeError("a checkpoint's time is not UTC")
    return Checkpoint(check_origin(origin), int(size), digest, moment)


def _decode_signature(line: str) -> tuple[str, bytes, bytes]:
    name, separator, encoded = line.removeprefix(_MARK).rpartition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise DecodeError("a note's signature is malformed", clause="C2SP signed-note") from failure
    if not line.startswith(_MARK) or not separator or len(raw) <= _KEY_ID:
        raise DecodeError("a note's signature is malformed", clause="C2SP signed-note")
    return name, raw[:_KEY_ID], raw[_KEY_ID:]
