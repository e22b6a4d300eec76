"""The files of a trust store: what verification loads. The index beside them is `eid.services.trust`'s business."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from eid.errors import StoreError
from eid.pki.trust_store import TrustStore, build_trust_store

CERTIFICATES: Final = "certificates"
CRLS: Final = "crls"
INDEX: Final = "index.db"


def load_trust_store(directory: Path) -> TrustStore:
    """Load what a directory trusts.

    Raises:
        StoreError: the directory is no trust store, or a file of it is damaged.
    """
    if not (directory / INDEX).is_file():
        raise StoreError(f"{directory} is no trust store; make one with: eid trust import --store {directory} FILE...")
    present = load_trust_files(directory)
    return build_trust_store(present[CERTIFICATES], present[CRLS])


def load_trust_files(directory: Path) -> dict[str, list[bytes]]:
    """Content of all certificates and CRLs, by folder.

    Raises:
        StoreError: a file cannot be read, or is not what its name says.
    """
    present: dict[str, list[bytes]] = {CERTIFICATES: [], CRLS: []}
    try:
        for folder, contents in present.items():
            for path in sorted((directory / folder).glob("*.der")):
                contents.append(path.read_bytes())
                if hashlib.sha256(contents[-1]).hexdigest() != path.stem:
                    raise StoreError(f"trust store {directory}: {folder}/{path.name} is damaged")
    except OSError as error:
        raise StoreError(f"trust store {directory}: {error.strerror}") from error
    return present
