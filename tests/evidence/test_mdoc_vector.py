"""The published mobile driving licence (ISO/IEC 18013-5 D.4.1.2): COSE_Sign1, its X.509 signer, digests of data items.

We write no mdoc; the response is CBOR of another order, so cbor2 reads it. Its signature is ours to verify.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest

from eid.codec.cbor import encode_cbor
from eid.codec.x509 import decode_certificate
from eid.crypto.ecdsa import encode_ecdsa_der
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.errors import VerificationError

VECTOR = json.loads((Path(__file__).parents[1] / "vectors/iso18013-5-D-device-response.json").read_text("utf-8"))
ES256 = -7  # RFC 9053 2.1
X5CHAIN = 33  # RFC 9360 2


@pytest.fixture(scope="module")
def signed() -> dict[str, Any]:
    return cbor2.loads(bytes.fromhex(VECTOR["device_response_cbor"]))["documents"][0]["issuerSigned"]


def verify(signed: dict[str, Any], payload: bytes) -> None:
    protected, unprotected, _, signature = signed["issuerAuth"]
    assert cbor2.loads(protected) == {1: ES256}
    certificate = decode_certificate(unprotected[X5CHAIN])
    message = encode_cbor(["Signature1", protected, b"", payload])  # RFC 9052 4.4
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    key = load_public_key(certificate.spki_raw)
    verify_signature(key, SignatureAlgorithm("ecdsa", "sha256"), message, encode_ecdsa_der(r, s))


def test_the_issuer_signed_it(signed: dict[str, Any]) -> None:
    payload = signed["issuerAuth"][2]
    verify(signed, payload)
    for at in range(0, len(payload), 29):
        with pytest.raises(VerificationError):
            verify(signed, payload[:at] + bytes((payload[at] ^ 1,)) + payload[at + 1 :])


def test_every_item_is_the_one_that_was_signed(signed: dict[str, Any]) -> None:
    security = cbor2.loads(cbor2.loads(signed["issuerAuth"][2]).value)
    items = [item for items in signed["nameSpaces"].values() for item in items]
    digests = security["valueDigests"]["org.iso.18013.5.1"]
    assert len(items) == 6
    for item in items:
        number = cbor2.loads(item.value)["digestID"]
        assert hashlib.sha256(encode_cbor_item(item.value)).digest() == digests[number]


def encode_cbor_item(content: bytes) -> bytes:
    """#6.24(bstr): an item is hashed as it stands in the response."""
    return b"\xd8\x18" + encode_cbor(content)
