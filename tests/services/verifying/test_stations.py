from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eid.errors import StoreError
from eid.services.verifying.stations import load_stations
from tests.builders.rsa_keys import rsa_private_key


def pem(key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_keys_by_identifier(tmp_path):
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    for number, key in enumerate(keys):
        (tmp_path / f"{number}.pem").write_bytes(pem(key))
    (tmp_path / "README").write_text("not a key")
    stations = load_stations(tmp_path)
    for key in keys:
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert stations[hashlib.sha256(der).digest()] == key.public_key()
    assert len(stations) == 2


def test_no_station(tmp_path):
    assert load_stations(tmp_path) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa_private_key(2048)),
    ],
)
def test_what_is_no_station_key(tmp_path, content):
    (tmp_path / "station.pem").write_bytes(content)
    with pytest.raises(StoreError, match=r"station\.pem"):
        load_stations(tmp_path)


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "station.pem").mkdir()
    with pytest.raises(StoreError, match=r"station\.pem"):
        load_stations(tmp_path)
    with pytest.raises(StoreError, match="no directory"):
        load_stations(tmp_path / "nowhere")
