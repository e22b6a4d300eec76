from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import oid
from eid.codec.cv import (
    Chat,
    CvEcPublicKey,
    CvExtension,
    CvRsaPublicKey,
    Role,
    decode_chat,
    decode_cv_authenticated_request,
    decode_cv_certificate,
    decode_cv_date,
    decode_cv_public_key,
    decode_cv_request,
)
from eid.codec.cv_encoding import (
    encode_chat,
    encode_cv_authenticated_request,
    encode_cv_authenticated_request_body,
    encode_cv_body,
    encode_cv_certificate,
    encode_cv_date,
    encode_cv_public_key,
    encode_cv_request_body,
)
from eid.codec.spki import EcParameters
from eid.codec.tlv import encode_tlv
from eid.crypto.points import decode_point
from eid.crypto.public_key import match_curve
from eid.crypto.signatures import SignatureAlgorithm, build_ec_public_key, verify_signature
from eid.errors import DecodeError

VECTORS: Any = json.loads((Path(__file__).parents[1] / "vectors" / "tr03110-certificates.json").read_text())
ECDSA_SHA512 = "0.4.0.127.0.7.2.2.2.2.5"
RSA_V1_5_SHA1 = "0.4.0.127.0.7.2.2.2.1.1"
CHAT = Chat(oid.ID_AT, bytes.fromhex("8000000110"))
EC_KEY = CvEcPublicKey(ECDSA_SHA512, b"\x04ab", None)
FULL_KEY = CvEcPublicKey(ECDSA_SHA512, b"\x04ab", EcParameters(23, 0, 1, b"\x04\x03\x0a", 28, 1))
RSA_KEY = CvRsaPublicKey(RSA_V1_5_SHA1, 1 << 1023, 65537)


def vector(kind: str, name: str) -> bytes:
    return bytes.fromhex(VECTORS[kind][name])


@pytest.mark.parametrize(
    ("kind", "name", "car", "chr_", "role", "dates"),
    [
        ("ecdh", "cvca", "DECVCAAT00001", "DECVCAAT00001", Role.CVCA, (date(2010, 9, 30), date(2011, 9, 25))),
        ("ecdh", "dv", "DECVCAAT00001", "DETESTDVDE019", Role.DOMESTIC_DV, (date(2010, 9, 30), date(2010, 10, 30))),
        ("ecdh", "terminal", "DETESTDVDE019", "DETESTATDE019", Role.TERMINAL, (date(2010, 9, 30), date(2010, 10, 30))),
        ("dh", "cvca", "DETESTCVCA00003", "DETESTCVCA00003", Role.CVCA, (date(2010, 3, 24), date(2011, 3, 19))),
        ("dh", "dv", "DETESTCVCA00003", "DETESTDVDE019", Role.DOMESTIC_DV, (date(2010, 3, 24), date(2010, 4, 24))),
        ("dh", "terminal", "DETESTDVDE019", "DETESTATDE019", Role.TERMINAL, (date(2010, 3, 24), date(2010, 4, 24))),
    ],
)
def test_certificates_of_the_eac_worked_example(
    kind: str, name: str, car: str, chr_: str, role: Role, dates: tuple[date, date]
) -> None:
    raw = vector(kind, name)
    certificate = decode_cv_certificate(raw)
    assert (certificate.authority_reference, certificate.holder_reference) == (car, chr_)
    assert (certificate.chat.role, certificate.is_self_signed) == (role, role is Role.CVCA)
    assert (certificate.effective_date, certificate.expiration_date) == dates
    assert isinstance(certificate.public_key, CvEcPublicKey if kind == "ecdh" else CvRsaPublicKey)
    body = encode_cv_body(
        authority_reference=car,
        public_key=certificate.public_key,
        holder_reference=chr_,
        chat=certificate.chat,
        effective_date=certificate.effective_date,
        expiration_date=certificate.expiration_date,
        extensions=certificate.extensions,
    )
    assert body == certificate.body_raw
    assert encode_cv_certificate(body, certificate.signature) == raw


def test_signatures_are_over_the_body_with_its_header() -> None:
    cvca, dv, terminal = (decode_cv_certificate(vector("ecdh", name)) for name in ("cvca", "dv", "terminal"))
    assert isinstance(cvca.public_key, CvEcPublicKey)
    assert cvca.public_key.parameters is not None
    curve = match_curve(cvca.public_key.parameters)
    assert curve.name == "brainpoolP512r1"
    algorithm = SignatureAlgorithm("ecdsa-plain", "sha512")
    for issuer, subject in ((cvca, cvca), (cvca, dv), (dv, terminal)):
        assert isinstance(issuer.public_key, CvEcPublicKey)
        key = build_ec_public_key(curve, decode_point(curve, issuer.public_key.public_point))
        verify_signature(key, algorithm, subject.body_raw, subject.signature)


def certificate_of(**change: Any) -> bytes:
    fields: dict[str, Any] = {
        "authority_reference": "UTCVCA00001",
        "public_key": EC_KEY,
        "holder_reference": "UTDV00001",
        "chat": CHAT,
        "effective_date": date(2026, 1, 2),
        "expiration_date": date(2026, 12, 31),
    }
    return encode_cv_certificate(encode_cv_body(**(fields | change)), b"signature")


EXTENSIONS = (CvExtension("0.4.0.127.0.7.3.1.3.1", encode_tlv(0x80, b"\x01" * 32)), CvExtension("1.2.3", b""))


@pytest.mark.parametrize("key", [EC_KEY, FULL_KEY, RSA_KEY])
@pytest.mark.parametrize("extensions", [(), EXTENSIONS])
def test_round_trips(key: Any, extensions: Any) -> None:
    raw = certificate_of(public_key=key, extensions=extensions)
    certificate = decode_cv_certificate(raw)
    assert (certificate.raw, certificate.public_key, certificate.extensions) == (raw, key, extensions)
    assert (certificate.chat, certificate.signature) == (CHAT, b"signature")
    for reference in (None, "UTCVCA00001"):
        body = encode_cv_request_body(
            authority_reference=reference, public_key=key, holder_reference="UTDV00001", extensions=extensions
        )
        request_raw = encode_cv_certificate(body, b"inner")
        request = decode_cv_request(request_raw)
        assert (request.authority_reference, request.public_key, request.extensions) == (reference, key, extensions)
        assert (request.body_raw, request.signature, request.holder_reference) == (body, b"inner", "UTDV00001")
        outer_body = encode_cv_authenticated_request_body(request_raw, "UTDV00000")
        outer = decode_cv_authenticated_request(encode_cv_authenticated_request(outer_body, b"outer"))
        assert (outer.request, outer.authority_reference, outer.signature) == (request, "UTDV00000", b"outer")
        assert outer.signed_raw == outer_body


def test_request_is_no_certificate() -> None:
    body = encode_cv_request_body(authority_reference=None, public_key=EC_KEY, holder_reference="UTDV00001")
    with pytest.raises(DecodeError, match="42 is missing"):
        decode_cv_certificate(encode_cv_certificate(body, b"x"))
    with pytest.raises(DecodeError, match="7F4C is out of place"):
        decode_cv_request(certificate_of())


@pytest.mark.parametrize("text", ["000002030000", "020601030301", "0206010300", "02060103000000", "0a0601030001"])
def test_malformed_dates(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_cv_date(bytes.fromhex(text))


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_dates_round_trip(day: date) -> None:
    assert decode_cv_date(encode_cv_date(day)) == day


def test_what_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"2000\.\.2099"):
        encode_cv_date(date(2100, 1, 1))
    for reference in ("utDV00001", "UT0001", "UTABCDEFGHIJ00001", "UTDV0000-"):
        with pytest.raises(ValueError, match="reference"):
            certificate_of(holder_reference=reference)


@pytest.mark.parametrize("content", ["", "0600", "060129", "06012953 00".replace(" ", ""), "060129530100ff"])
def test_malformed_chat(content: str) -> None:
    with pytest.raises(DecodeError):
        decode_chat(encode_tlv(0x7F4C, bytes.fromhex(content)))


def test_chat_round_trip() -> None:
    assert decode_chat(encode_chat(CHAT)) == CHAT
    assert Chat(oid.ID_IS, b"\x43").role is Role.FOREIGN_DV


@pytest.mark.parametrize(
    "content",
    ["", "0600", "060129", "060129 810101", "060129 810101 830101", "060129 810101 820101 860104", "060129 8100 820101",
     "060129 860104 870101", "060129 810101 820101 830101 840104 850105 860104", "060129 820101 860104"],
)  # fmt: skip
def test_malformed_keys(content: str) -> None:
    with pytest.raises(DecodeError):
        decode_cv_public_key(bytes.fromhex(content))


def test_cofactor_is_written_as_one_where_it_is_not_known() -> None:
    assert FULL_KEY.parameters is not None
    key = dataclasses.replace(FULL_KEY, parameters=dataclasses.replace(FULL_KEY.parameters, h=None))
    assert decode_cv_public_key(encode_cv_public_key(key)) == FULL_KEY


def test_departures() -> None:
    good = certificate_of()
    assert good[3] != 0x81
    not_minimal = b"\x7f\x21\x81" + good[2:] if good[2] < 0x80 else b"\x7f\x21\x82\x00" + good[3:]
    body = decode_cv_certificate(good).body_raw
    wrong_profile = body.replace(b"\x5f\x29\x01\x00", b"\x5f\x29\x01\x01")
    for raw in (
        not_minimal,
        good + b"\x00",
        good[:-1],
        b"",
        bytes(1 << 15),
        encode_cv_certificate(wrong_profile, b"x"),
        encode_tlv(0x7F21, body),
        encode_tlv(0x7F21, encode_tlv(0x5F37, b"x") + body),
        encode_tlv(0x7F21, body + encode_tlv(0x5F37, b"x") * 2),
        certificate_of(extensions=EXTENSIONS).replace(b"\x73", b"\x72"),
        certificate_of(extensions=(CvExtension("1.2.3", b"\x81"),)),
    ):
        with pytest.raises(DecodeError):
            decode_cv_certificate(raw)


def test_extension_without_identifier() -> None:
    body = decode_cv_certificate(certificate_of()).body_raw[3:]
    for template in (encode_tlv(0x73, b""), encode_tlv(0x73, encode_tlv(0x80, b""))):
        raw = encode_cv_certificate(encode_tlv(0x7F4E, body + encode_tlv(0x65, template)), b"x")
        with pytest.raises(DecodeError, match="without object identifier"):
            decode_cv_certificate(raw)


DECODERS: tuple[Callable[[bytes], Any], ...] = (
    decode_cv_certificate,
    decode_cv_request,
    decode_cv_authenticated_request,
    decode_chat,
    decode_cv_public_key,
)


@given(st.binary(max_size=120))
def test_any_octets(raw: bytes) -> None:
    for data in (
        raw,
        encode_tlv(0x7F21, raw),
        encode_tlv(0x67, raw),
        encode_tlv(0x7F21, encode_tlv(0x7F4E, raw) + b"\x5f\x37\x00"),
    ):
        for decode in (
            decode_cv_certificate,
            decode_cv_request,
            decode_cv_authenticated_request,
            decode_chat,
            decode_cv_public_key,
        ):
            try:
                decode(data)
            except DecodeError:
                continue


@given(st.data())
def test_mutations(data: st.DataObject) -> None:
    raw = bytearray(vector("ecdh", "terminal"))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        certificate = decode_cv_certificate(bytes(raw))
    except DecodeError:
        return
    assert encode_cv_certificate(certificate.body_raw, certificate.signature) == bytes(raw)
