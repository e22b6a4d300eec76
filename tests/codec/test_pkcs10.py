"""PKCS#10 (RFC 2986): requests that `cryptography` made and reads, and everything that is none."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.codec.pkcs10 import (
    MAX_REQUEST,
    decode_certification_request,
    encode_certification_request,
    encode_request_info,
    wrap_request,
)
from eid.errors import DecodeError
from tests.builders.sweep import examples

KEY = ec.generate_private_key(ec.SECP256R1())
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "UT"), x509.NameAttribute(NameOID.COMMON_NAME, "DS")])
MADE = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(SUBJECT)
    .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    .sign(KEY, hashes.SHA256())
)
RAW = MADE.public_bytes(Encoding.DER)


@pytest.mark.parametrize("raw", [RAW, MADE.public_bytes(Encoding.PEM), b"words\n" + wrap_request(RAW)])
def test_a_request_of_another_program(raw: bytes) -> None:
    """An attribute that asks to be an authority is passed over: what a certificate says is the issuer's decision."""
    found = decode_certification_request(raw)
    assert found.info_raw == MADE.tbs_certrequest_bytes
    assert found.subject_raw == SUBJECT.public_bytes()
    assert found.signature == MADE.signature
    assert found.signature_algorithm.oid == MADE.signature_algorithm_oid.dotted_string


def test_ours_is_read_by_another_program() -> None:
    found = decode_certification_request(RAW)
    info = encode_request_info(found.subject_raw, found.spki_raw)
    signature = KEY.sign(info, ec.ECDSA(hashes.SHA256()))
    raw = encode_certification_request(info, found.signature_algorithm, signature)
    theirs = x509.load_pem_x509_csr(wrap_request(raw))
    assert theirs.is_signature_valid
    assert theirs.subject == SUBJECT
    assert decode_certification_request(raw).info_raw == info


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        RAW[:-1],
        RAW + b"\x00",
        bytes(MAX_REQUEST * 3),
        RAW.replace(b"\x02\x01\x00", b"\x02\x01\x01", 1),
        der.encode_sequence(RAW),
        MADE.public_bytes(Encoding.PEM) * 2,
        MADE.public_bytes(Encoding.PEM)[:-30],
        MADE.public_bytes(Encoding.PEM).replace(b"=", b"").replace(b"A", b"", 1),
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAAA\n-----END CERTIFICATE REQUEST-----\n",
    ],
    ids=range(10),
)
def test_what_is_no_request(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_certification_request(raw)


@settings(max_examples=examples(60))
@given(st.binary(max_size=300), st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_arbitrary_octets(noise: bytes, at: int, mask: int) -> None:
    changed = bytearray(RAW)
    changed[at] ^= mask
    for raw in (noise, b"\x30" + noise, bytes(changed)):
        try:
            decode_certification_request(raw)
        except DecodeError:
            continue
