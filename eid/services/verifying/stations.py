"""Known inspection stations: a directory of public keys, one PEM file each, put there by the operator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from eid.crypto.public_key import encode_public_key
from eid.crypto.signatures import PublicKey
from eid.errors import StoreError

MAX_FILE: Final = 16 << 10  # octets

Stations = Mapping[bytes, PublicKey]
NO_STATIONS: Final[Stations] = MappingProxyType({})


def load_stations(directory: Path) -> Mapping[bytes, ec.EllipticCurvePublicKey]:
    """Load the keys of the stations whose word counts, by key identifier.

    Returns:
        P-256 keys by SHA-256 of their SubjectPublicKeyInfo, 32 octets, as the evidence envelope names them.

    Raises:
        StoreError: the directory or a file in it cannot be read, or a file holds no P-256 public key.
    """
    if not directory.is_dir():
        raise StoreError(f"{directory}: no directory of station keys")
    keys = [load_station_key(path) for path in sorted(directory.glob("*.pem"))]
    return MappingProxyType({station_key_id(key): key for key in keys})


def station_key_id(key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of the key's SubjectPublicKeyInfo in DER, its curve named; 32 octets (docs/formats/evidence.md)."""
    return hashlib.sha256(encode_public_key(key)).digest()


def load_station_key(path: Path) -> ec.EllipticCurvePublicKey:
    """Load one station's key.

    Raises:
        StoreError: the file cannot be read or holds no P-256 public key in PEM.
    """
    try:
        with path.open("rb") as file:
            key = load_pem_public_key(file.read(MAX_FILE))
    except OSError as failure:
        raise StoreError(f"{path}: {failure.strerror}") from failure
    except (ValueError, UnsupportedAlgorithm) as failure:
        raise StoreError(f"{path}: no public key in PEM") from failure
    # Evidence is signed with ES256 (RFC 9053 2.1), which is P-256 here.
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StoreError(f"{path}: not a P-256 key")
    return key
