from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asn1crypto import cms as asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import cms, der, oid
from eid.codec.algorithm import AlgorithmIdentifier, digest_identifier, ecdsa_identifier
from eid.codec.cms import Attribute, decode_signed_data
from eid.codec.defect import Defect, DefectCode
from eid.codec.x509 import decode_certificate
from eid.crypto.public_key import decode_signature_algorithm, load_public_key
from eid.crypto.signatures import verify_signature
from eid.errors import DecodeError
from tests.builders import issuer

if TYPE_CHECKING:
    from tests.codec.conftest import Chain

VECTORS: Any = json.loads((Path(__file__).parents[1] / "vectors" / "tr03110-certificates.json").read_text())
TYPE = "1.2.3.4"
CONTENT = b"SPECIMEN content"
DIGEST = hashlib.sha256(CONTENT).digest()
SHA256 = digest_identifier("sha256")
SIGNATURE = b"\x30\x06\x02\x01\x01\x02\x01\x01"


# --- what others write


@pytest.mark.parametrize("kind", ["ecdh", "dh"])
def test_ef_cardsecurity_of_the_eac_worked_example(kind: str) -> None:
    signed = decode_signed_data(bytes.fromhex(VECTORS[kind]["ef_cardsecurity"]))
    info = signed.signer_info
    assert (signed.version, signed.content_type, len(signed.certificates)) == (3, oid.SECURITY_OBJECT, 1)
    assert (info.version, info.serial, info.signature_algorithm.oid) == (1, 90918, oid.RSASSA_PSS)
    assert info.signed_attributes is not None
    assert info.signed_attributes.signing_time is None
    assert info.signed_attributes.message_digest == hashlib.sha256(signed.content).digest()
    signer = decode_certificate(signed.certificates[0])
    assert (signer.issuer_raw, signer.serial) == (info.issuer_raw, info.serial)
    assert signed.signed_attributes_der is not None
    algorithm = decode_signature_algorithm(info.signature_algorithm)
    verify_signature(load_public_key(signer.spki_raw), algorithm, signed.signed_attributes_der, info.signature)


def test_what_the_library_writes(named_chain: Chain) -> None:
    """Content of type id-data makes both versions 1; the library adds an attribute unknown here."""
    certificate = load_der_x509_certificate(named_chain.ds)
    key: Any = named_chain.ds_key.private
    builder = pkcs7.PKCS7SignatureBuilder().set_data(CONTENT).add_signer(certificate, key, hashes.SHA256())
    raw = builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    signed = decode_signed_data(raw)
    assert (signed.version, signed.content_type, signed.content) == (1, oid.DATA, CONTENT)
    assert signed.certificates == (named_chain.ds,)
    attributes = signed.signer_info.signed_attributes
    assert attributes is not None
    assert attributes.signing_time is not None
    assert [item.oid for item in attributes.others] == ["1.2.840.113549.1.9.15"]
    algorithm = decode_signature_algorithm(signed.signer_info.signature_algorithm)
    public_key = load_public_key(decode_certificate(named_chain.ds).spki_raw)
    verify_signature(public_key, algorithm, attributes.canonical, signed.signer_info.signature)


def test_content_without_signed_attributes(named_chain: Chain) -> None:
    certificate = load_der_x509_certificate(named_chain.ds)
    key: Any = named_chain.ds_key.private
    builder = pkcs7.PKCS7SignatureBuilder().set_data(CONTENT).add_signer(certificate, key, hashes.SHA256())
    raw = builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes])
    signed = decode_signed_data(raw)
    assert (signed.signer_info.signed_attributes, signed.signed_attributes_der) == (None, None)


# --- what we write


@pytest.mark.parametrize("by_key_identifier", [False, True])
def test_ours_in_asn1crypto(chain: Chain, by_key_identifier: bool) -> None:
    raw = issuer.signed_data(chain.ds_key, chain.ds, CONTENT, content_type=TYPE, by_key_identifier=by_key_identifier)
    reference = asn1.ContentInfo.load(raw, strict=True)
    assert reference.dump(force=True) == raw
    signed = reference["content"]
    signer = signed["signer_infos"][0]
    assert signed["version"].native == "v3"
    assert signer["version"].native == ("v3" if by_key_identifier else "v1")
    assert [item["type"].native for item in signer["signed_attrs"]] == [
        "content_type",
        "signing_time",
        "message_digest",
    ]
    assert signer["signed_attrs"][1]["values"][0].native == issuer.SIGNING_TIME
    ours = decode_signed_data(raw)
    attributes = ours.signer_info.signed_attributes
    assert attributes is not None
    assert attributes.canonical == attributes.stored == signer["signed_attrs"].untag().dump()
    assert ours.content == signed["encap_content_info"]["content"].native == CONTENT
    if by_key_identifier:
        assert ours.signer_info.issuer_raw is None
        assert ours.signer_info.subject_key_identifier == signer["sid"].native
    else:
        assert ours.signer_info.serial == signer["sid"].chosen["serial_number"].native


def test_openssl_verifies_ours(named_chain: Chain, tmp_path: Path) -> None:
    raw = issuer.signed_data(named_chain.ds_key, named_chain.ds, CONTENT, content_type=TYPE)
    (tmp_path / "signed.der").write_bytes(raw)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-noverify", "-in", str(tmp_path / "signed.der")]
    assert subprocess.run(command, capture_output=True, check=True).stdout == CONTENT


# --- departures


ATTRIBUTES = cms.encode_signed_attributes(TYPE, DIGEST, issuer.SIGNING_TIME)
ITEMS = tuple(ATTRIBUTES[at:behind] for at, _, _, behind in der.split(ATTRIBUTES, 2, len(ATTRIBUTES), "x"))
SID = der.encode_sequence(issuer.CSCA_NAME, der.encode_integer(5))
CONTENT_INFO = der.encode_sequence(der.encode_oid(TYPE), der.encode_explicit(0, der.encode_octet_string(CONTENT)))


def signer_info(
    *,
    version: bytes = b"\x02\x01\x01",
    sid: bytes = SID,
    digest: AlgorithmIdentifier = SHA256,
    attributes: bytes = b"\xa0" + ATTRIBUTES[1:],
    algorithm: bytes = ecdsa_identifier("sha256").encode(),
    signature: bytes = der.encode_octet_string(SIGNATURE),
    tail: bytes = b"",
) -> bytes:
    return der.encode_sequence(version, sid, digest.encode(), attributes, algorithm, signature, tail)


def by_hand(
    *,
    content_info_type: bytes = der.encode_oid(oid.SIGNED_DATA),
    version: bytes = b"\x02\x01\x03",
    digests: bytes = der.encode_set_of((SHA256.encode(),)),
    content: bytes = CONTENT_INFO,
    certificates: bytes = b"",
    crls: bytes = b"",
    signers: bytes = signer_info(),
    behind: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    signed = der.encode_sequence(version, digests, content, certificates, crls, der.encode(der.SET, signers), behind)
    return der.encode_sequence(content_info_type, der.encode_explicit(0, signed), tail)


def attributes_of(*items: bytes) -> bytes:
    return der.encode(0xA0, b"".join(items))


def attribute(name: str, *values: bytes) -> bytes:
    return der.encode_sequence(der.encode_oid(name), der.encode_set_of(values))


def test_by_hand_is_accepted() -> None:
    signed = decode_signed_data(by_hand())
    assert (signed.certificates, signed.signer_info.serial, signed.signer_info.signature) == ((), 5, SIGNATURE)


A, B = der.encode_sequence(b"\x02\x01\x01"), der.encode_sequence(b"\x02\x01\x02")
TOLERABLE = [
    (DefectCode.CMS_VERSION, by_hand(version=b"\x02\x01\x01")),
    (DefectCode.CMS_VERSION, by_hand(version=b"\x02\x01\x04")),
    (DefectCode.CMS_VERSION, by_hand(signers=signer_info(version=b"\x02\x01\x03"))),
    (DefectCode.CMS_VERSION, by_hand(signers=signer_info(sid=b"\x80\x01\x00"))),
    (DefectCode.DIGEST_ALGORITHMS, by_hand(digests=b"\x31\x00")),
    (DefectCode.DIGEST_ALGORITHMS, by_hand(digests=der.encode_set_of((digest_identifier("sha384").encode(),)))),
    (
        DefectCode.DIGEST_ALGORITHMS,
        by_hand(digests=der.encode_set_of((SHA256.encode(), digest_identifier("sha1").encode()))),
    ),
    (DefectCode.SET_ORDER, by_hand(certificates=der.encode(0xA0, B + A))),
    (DefectCode.SET_ORDER, by_hand(certificates=der.encode(0xA0, A + A))),
    (DefectCode.SET_ORDER, by_hand(signers=signer_info(attributes=attributes_of(*reversed(ITEMS))))),
    (DefectCode.CRLS_PRESENT, by_hand(crls=der.encode(0xA1, A))),
    (DefectCode.UNSIGNED_ATTRIBUTES, by_hand(signers=signer_info(tail=der.encode(0xA1, A)))),
    (
        DefectCode.SERIAL_NOT_POSITIVE,
        by_hand(signers=signer_info(sid=der.encode_sequence(issuer.CSCA_NAME, b"\x02\x01\xff"))),
    ),
]


@pytest.mark.parametrize(("code", "raw"), TOLERABLE)
def test_tolerable_departures_are_refused_or_recorded(code: DefectCode, raw: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_signed_data(raw)
    assert caught.value.clause is not None
    defects: list[Defect] = []
    decode_signed_data(raw, defects)
    assert [item.code for item in defects] == [code]


def test_misordered_attributes_keep_both_forms() -> None:
    raw = by_hand(signers=signer_info(attributes=attributes_of(*reversed(ITEMS))))
    attributes = decode_signed_data(raw, []).signer_info.signed_attributes
    assert attributes is not None
    assert attributes.canonical == ATTRIBUTES
    assert attributes.stored == b"\x31" + attributes_of(*reversed(ITEMS))[1:]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (by_hand(content_info_type=der.encode_oid(oid.DATA)), "not signedData"),
        (by_hand(signers=b""), "SignerInfo is missing"),
        (by_hand(signers=signer_info() * 2), "more than one SignerInfo"),
        (by_hand(signers=signer_info(attributes=b"")), "signedAttrs are missing"),
        (by_hand(signers=signer_info(attributes=attributes_of(*ITEMS[:2]))), "messageDigest is missing"),
        (by_hand(signers=signer_info(attributes=attributes_of(*ITEMS[1:]))), "contentType or messageDigest is missing"),
        (by_hand(signers=signer_info(attributes=attributes_of(*ITEMS, ITEMS[2]))), "doubled"),
        (by_hand(signers=signer_info(attributes=attributes_of(*ITEMS, attribute("1.2.3")))), "empty"),
        (
            by_hand(content=CONTENT_INFO.replace(der.encode_oid(TYPE), der.encode_oid("1.2.3.5"))),
            "not the eContentType",
        ),
        (by_hand(content=der.encode_sequence(der.encode_oid(TYPE))), "eContent is missing"),
        (by_hand(certificates=bytes.fromhex("a002a100")), "tag A1 where 30"),
        (by_hand(behind=b"\x05\x00"), "2 octets follow"),
        (by_hand(tail=b"\x05\x00"), "2 octets follow"),
        (by_hand() + b"\x00", "1 octets follow"),
        (by_hand(signers=signer_info(tail=b"\x05\x00")), "tag 05 where A1"),
        (by_hand(signers=signer_info(sid=der.encode_sequence(issuer.CSCA_NAME))), "serialNumber is missing"),
    ],
)
def test_what_is_never_tolerated(raw: bytes, message: str) -> None:
    for defects in (None, []):
        with pytest.raises(DecodeError, match=message):
            decode_signed_data(raw, defects)


@pytest.mark.parametrize(
    "item",
    [
        attribute(oid.MESSAGE_DIGEST, der.encode_octet_string(DIGEST), der.encode_octet_string(b"2")),
        attribute(oid.MESSAGE_DIGEST, der.encode_null()),
        attribute(oid.SIGNING_TIME, der.encode_time(issuer.SIGNING_TIME), der.encode_time(issuer.NOT_AFTER)),
        attribute(oid.SIGNING_TIME, der.encode(der.GENERALIZED_TIME, b"20260101000000Z")),
        attribute(oid.CONTENT_TYPE, der.encode_oid(TYPE), der.encode_oid("1.2")),
    ],
)
def test_defined_attributes_have_a_single_value_of_their_type(item: bytes) -> None:
    name = item[item.index(b"\x06\x09") :][:11]
    kept = [other for other in ITEMS if name not in other]
    with pytest.raises(DecodeError):
        decode_signed_data(by_hand(signers=signer_info(attributes=attributes_of(*sorted([*kept, item])))), [])


def test_further_attributes_are_kept() -> None:
    other = Attribute("1.2.3", (b"\x02\x01\x05", b"\x04\x00"))
    raw = cms.encode_signed_attributes(TYPE, DIGEST, others=(other,))
    attributes = decode_signed_data(
        by_hand(signers=signer_info(attributes=b"\xa0" + raw[1:]))
    ).signer_info.signed_attributes
    assert attributes is not None
    assert (attributes.others, attributes.signing_time) == ((other,), None)


def test_bounds() -> None:
    many = attributes_of(*sorted((*ITEMS, *(attribute(f"1.2.{number}", b"\x05\x00") for number in range(40)))))
    with pytest.raises(DecodeError, match="too many"):
        decode_signed_data(by_hand(signers=signer_info(attributes=many)))
    certificates = der.encode_set_of((der.encode_sequence(der.encode_integer(n)) for n in range(1025)), 0xA0)
    with pytest.raises(DecodeError, match="more than 1024"):
        decode_signed_data(by_hand(certificates=certificates))
    with pytest.raises(DecodeError, match="over 16"):
        decode_signed_data(by_hand(), limit=16)


@given(st.binary(max_size=200))
def test_any_octets(raw: bytes) -> None:
    for data in (
        raw,
        by_hand(content=raw),
        by_hand(signers=raw),
        by_hand(signers=signer_info(attributes=attributes_of(raw))),
    ):
        try:
            decode_signed_data(data, [])
        except DecodeError:
            continue


def test_mutations_raise_decode_error_only(chain: Chain) -> None:
    source = random.Random(5652)
    good = issuer.signed_data(chain.ds_key, chain.ds, CONTENT, content_type=TYPE)
    for _ in range(2500):
        raw = bytearray(good)
        for _ in range(source.choice((1, 1, 2, 5))):
            place = source.randrange(len(raw))
            action = source.randrange(3)
            if action == 0:
                raw[place] = source.randrange(256)
            elif action == 1:
                del raw[place]
            else:
                raw.insert(place, source.randrange(256))
        for defects in (None, []):
            try:
                decode_signed_data(bytes(raw), defects)
            except DecodeError:
                continue


def test_shortcuts_read_what_the_general_way_reads(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attributes of the common shape are read by comparison: the same values, the same refusals."""

    def outcome(raw: bytes) -> object:
        try:
            return decode_signed_data(raw)
        except DecodeError:
            return None

    whole = issuer.signed_data(chain.ds_key, chain.ds, b"SPECIMEN")
    start = len(whole) - 260
    source = random.Random(5652)
    inputs = [whole]
    for _ in range(3000):
        raw = bytearray(whole)
        for _ in range(source.choice((1, 1, 2, 3))):
            raw[source.randrange(start, len(raw))] = source.randrange(256)
        inputs.append(bytes(raw))
    quick = [outcome(raw) for raw in inputs]
    monkeypatch.setattr("eid.codec.cms._USUAL_ATTRIBUTES", {})
    assert [outcome(raw) for raw in inputs] == quick
    monkeypatch.setattr("eid.codec.cms._COMMON_ATTRIBUTE", re.compile(b"(?!)"))
    monkeypatch.setattr("eid.codec.der._UTC_TIME_HEADER", b"")
    assert [outcome(raw) for raw in inputs] == quick
    assert sum(item is None for item in quick) > 200
    assert sum(item is not None for item in quick) > 200
