"""The audit log in use: who read personal data, and signed heads over all of it at an interval."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent, Fact
from eid.audit.tree_head import (
    ALGORITHM,
    CURVE,
    Checkpoint,
    Entry,
    Frontier,
    check_origin,
    decode_checkpoint,
    hash_entries,
    sign_checkpoint,
)
from eid.crypto.public_key import encode_public_key, load_public_key
from eid.crypto.signatures import curve_of_key
from eid.enrolment.roles import Actor, Role
from eid.errors import KeyStoreError, NotStoredError, StoreError
from eid.keystore.ports import KeyStore, Signer
from eid.keystore.software import SoftwareKeyStore
from eid.services.pki.recorded_signer import RecordedSigner
from eid.services.reading.station_key import KEYS, encode_pem
from eid.services.settings import Settings
from eid.services.verifying.stations import load_station_key
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction
from eid.store.files import store_file
from eid.store.head_files import has_seal, last_size, store_seal
from eid.store.signature_record import SignatureRecord
from eid.store.tree_heads import add_head, read_frontier, read_seals, read_unsealed

LABEL: Final = "audit"
PUBLIC_KEY: Final = "audit.pem"  # under EID_HOME, for whoever verifies
RECORD: Final = "signatures"  # under EID_HOME: what this machine has signed with the key
AT_ONCE: Final = 20_000  # rows under one head
EXPORTED_AT_ONCE: Final = 20  # heads


def note_reading(
    connection: Connection, subject: uuid.UUID, kind: str, actor: Actor, role: Role, now: datetime, **detail: Fact
) -> None:
    """Tell the audit log that somebody reads personal data; in the transaction that reads it.

    Args:
        kind: of what is read: "application", "person", "document". detail: which part and why, no personal data.
    """
    event = AuditEvent(now, actor.tag(role), f"{kind}.read", f"{kind}:{subject}", detail)
    append_event(connection, bucket_of(subject), event)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Signs heads over the audit log.

    Args:
        origin: the log's name in every head, for ever. record: where each signature is written down before it is made.
    """

    engine: Engine
    signer: Signer
    origin: str
    record: SignatureRecord | None = None

    def seal(self, now: datetime) -> int:
        """Put every row that stands under no head now under one; return how many that were.

        Of two that seal at once one is quicker; the other begins anew behind its head, and finds nothing left to do.

        Raises:
            KeyStoreError: the key cannot be used. StoreError: the database fails.
        """
        total = 0
        while (sealed := self._seal_once(now)) is not None:
            total += sealed
            if 0 < sealed < AT_ONCE:  # what has come meanwhile waits for the next turn
                break
        return total

    def _seal_once(self, now: datetime) -> int | None:
        """How many rows were put under a head, 0 where another was quicker; None where there are none."""

        def read(connection: Connection) -> tuple[Frontier, tuple[Entry, ...]]:
            return read_frontier(connection), read_unsealed(connection, AT_ONCE)

        tree, entries = in_transaction(self.engine, read)
        if not entries:
            return None
        grown = tree.extend(hash_entries(entries))
        note = sign_checkpoint(Checkpoint(self.origin, grown.size, grown.root(), now), self._recorded(now))
        added = in_transaction(self.engine, lambda connection: add_head(connection, grown, entries, note, now))
        return len(entries) if added else 0

    def _recorded(self, now: datetime) -> Signer:
        if self.record is None:
            return self.signer
        return RecordedSigner(self.signer, self.record, "audit head", self.origin, now)


def export_heads(engine: Engine, directory: Path) -> int:
    """Write the heads that the directory has not; return how many.

    Raises:
        StoreError: one cannot be written, or the directory's newest head is not the database's: that is older than the
            directory (a backup was restored), or another log's.
    """
    written, after = 0, last_size(directory)
    if after:
        _require_known(engine, directory, after)
    while seals := in_transaction(engine, partial(read_seals, after=after, limit=EXPORTED_AT_ONCE)):
        for seal in seals:
            checkpoint, _ = decode_checkpoint(seal.checkpoint)
            store_seal(directory, seal, checkpoint.sealed_at)
            after = seal.size
        written += len(seals)
    return written


def _require_known(engine: Engine, directory: Path, size: int) -> None:
    found = in_transaction(engine, partial(read_seals, after=size - 1, limit=1))
    if found and found[0].size == size:
        checkpoint, _ = decode_checkpoint(found[0].checkpoint)
        if has_seal(directory, found[0], checkpoint.sealed_at):
            return
    raise StoreError(
        f"{directory} has a head over {size} rows that the database has not: it is older, or another log's"
    )


def open_audit_keys(settings: Settings, passphrase: Callable[[], bytes]) -> KeyStore:
    """Where the audit log's key lies.

    Raises:
        KeyStoreError: the directory cannot be made, or others may enter it.
    """
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise KeyStoreError(f"{settings.home}: {failure.strerror}") from failure
    return SoftwareKeyStore(settings.home / KEYS, passphrase)


def read_public_key(path: Path) -> bytes:
    """The public key of an audit log out of its PEM file, as SubjectPublicKeyInfo.

    Raises:
        NotStoredError: there is no such file. StoreError: it cannot be read or holds no P-256 public key.
    """
    if not path.exists():
        raise NotStoredError(f"{path}: there is no such key: `eid audit init` makes it, an auditor names his (--key)")
    return encode_public_key(load_station_key(path))


def make_audit_key(settings: Settings, keys: KeyStore) -> Path:
    """Make the key that signs tree heads, and lay its public half down; the path of that.

    Where a process died between the two, the key is there, and its public half is laid down now.

    Raises:
        KeyStoreError: there is one, or it cannot be written. StoreError: its public half cannot.
    """
    path = settings.home / PUBLIC_KEY
    is_half_made = LABEL in keys.labels() and not path.exists()
    signer = keys.load(LABEL, ALGORITHM) if is_half_made else keys.generate_ec(LABEL, CURVE, ALGORITHM)
    store_file(path, encode_pem(signer.public_key_info).encode("ascii"))
    return path


def load_sealer(engine: Engine, settings: Settings, keys: KeyStore) -> Sealer:
    """Whoever seals with the audit log's key.

    Raises:
        KeyStoreError: there is no such key, it cannot be opened, or it is not of P-256.
        DecodeError: the log's name cannot stand in a head.
    """
    signer = keys.load(LABEL, ALGORITHM)
    if curve_of_key(load_public_key(signer.public_key_info)).name != CURVE:  # type: ignore[arg-type]  # ECDSA: an EC key
        raise KeyStoreError(f"the key {LABEL!r} is not of {CURVE}")
    return Sealer(engine, signer, check_origin(settings.audit_origin), SignatureRecord(settings.home / RECORD))
