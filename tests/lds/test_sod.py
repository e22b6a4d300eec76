from __future__ import annotations

import hashlib
import random
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import der, oid
from eid.codec.defect import Defect, DefectCode
from eid.codec.x509 import decode_certificate
from eid.crypto.public_key import decode_signature_algorithm, load_public_key
from eid.crypto.signatures import verify_signature
from eid.errors import DecodeError, VerificationError
from eid.lds.sod import (
    LdsSecurityObject,
    LdsVersion,
    build_lds_security_object,
    decode_ef_sod,
    decode_lds_security_object,
    encode_ef_sod,
    encode_lds_security_object,
)
from tests.builders import issuer

V1 = LdsVersion("0108", "040000")
HASHES = {1: b"\x01" * 20, 2: b"\x02" * 20}


# --- LDSSecurityObject


def test_version_0_octet_by_octet() -> None:
    raw = build_lds_security_object("sha1", HASHES)
    assert raw.hex() == (
        "3044020100" "300706052b0e03021a" "3036"
        "30190201010414" + "01" * 20 + "30190201020414" + "02" * 20
    )  # fmt: skip


def test_version_1_octet_by_octet() -> None:
    raw = build_lds_security_object("sha1", HASHES, V1)
    assert raw[:5].hex() == "3054020101"
    assert raw.endswith(bytes.fromhex("300e1304303130381306303430303030"))


class _DataGroupHash(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("number", core.Integer), ("value", core.OctetString)]  # noqa: RUF012


class _Hashes(core.SequenceOf):  # type: ignore[misc]  # asn1crypto has no types
    _child_spec = _DataGroupHash


class _Algorithm(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]  # noqa: RUF012


class _Version(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("lds", core.PrintableString), ("unicode", core.PrintableString)]  # noqa: RUF012


class _LdsSecurityObject(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """Doc 9303-10 4.6.2.3, written down a second time for asn1crypto."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("hash_algorithm", _Algorithm),
        ("hashes", _Hashes),
        ("lds_version", _Version, {"optional": True}),
    ]


@pytest.mark.parametrize("hash_name", list(oid.HASH_LENGTHS))
@pytest.mark.parametrize("version", [None, V1])
def test_round_trip_and_asn1crypto_agrees(hash_name: str, version: LdsVersion | None) -> None:
    hashes = issuer.data_group_hashes(hash_name)
    raw = build_lds_security_object(hash_name, hashes, version)
    value = decode_lds_security_object(raw)
    assert value == LdsSecurityObject(0 if version is None else 1, hash_name, hashes, version)
    assert encode_lds_security_object(value) == raw
    reference = _LdsSecurityObject.load(raw, strict=True)
    assert {item["number"].native: item["value"].native for item in reference["hashes"]} == hashes
    assert reference["hash_algorithm"]["algorithm"].dotted == oid.HASH_OIDS[hash_name]
    assert (reference["lds_version"].native is None) is (version is None)


def by_hand(
    version: bytes = b"\x02\x01\x00",
    algorithm: str = "300706052b0e03021a",
    hashes: str = "30190201010414" + "01" * 20 + "30190201020414" + "02" * 20,
    tail: str = "",
) -> bytes:
    values = der.encode(der.SEQUENCE, bytes.fromhex(hashes))
    return der.encode_sequence(version, bytes.fromhex(algorithm), values, bytes.fromhex(tail))


def test_null_parameters_of_the_hash_are_accepted() -> None:
    assert decode_lds_security_object(by_hand(algorithm="300906052b0e03021a0500")).hash_algorithm == "sha1"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (by_hand(version=b"\x02\x01\x02"), "unknown version"),
        (by_hand(algorithm="300506032a0304"), "unknown hash algorithm"),
        (by_hand(hashes="30190201110414" + "01" * 20 + "30190201020414" + "02" * 20), "data group 17"),
        (by_hand(hashes="30190201000414" + "01" * 20 + "30190201020414" + "02" * 20), "data group 0"),
        (by_hand(hashes=("30190201010414" + "01" * 20) * 2), "doubled"),
        (by_hand(hashes="30180201010413" + "01" * 19 + "30190201020414" + "02" * 20), "another hash's length"),
        (by_hand(hashes="30190201010414" + "01" * 20 + "30190201020414" + "02" * 19), "malformed"),
        (by_hand(hashes="301b020200010414" + "01" * 20), "malformed"),
        (by_hand(tail="300e13043031303813063034303030"), "past the end"),
        (by_hand(version=b"\x02\x01\x01", tail="300e1304303130411306303430303030"), "ldsVersion is not of 4 digits"),
        (by_hand(version=b"\x02\x01\x01", tail="300d130430313038130530343030 30".replace(" ", "")), "not of 6 digits"),
        (by_hand(version=b"\x02\x01\x01", tail="300e1304303130381306303430303030" "0500"), "follow"),
        (by_hand() + b"\x00", "follow"),
    ],
)  # fmt: skip
def test_malformed_security_objects(raw: bytes, message: str) -> None:
    for defects in (None, []):
        with pytest.raises(DecodeError, match=message):
            decode_lds_security_object(raw, defects)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (by_hand(version=b"\x02\x01\x01"), DefectCode.LDS_VERSION),
        (by_hand(tail="300e1304303130381306303430303030"), DefectCode.LDS_VERSION),
        (by_hand(hashes="30190201010414" + "01" * 20), DefectCode.DATA_GROUP_COUNT),
        (by_hand(hashes=""), DefectCode.DATA_GROUP_COUNT),
        (by_hand(algorithm="300906052b0e03021a0400"), DefectCode.ALGORITHM_PARAMETERS),
    ],
)
def test_tolerable_security_objects(raw: bytes, code: DefectCode) -> None:
    with pytest.raises(DecodeError):
        decode_lds_security_object(raw)
    defects: list[Defect] = []
    decode_lds_security_object(raw, defects)
    assert [item.code for item in defects] == [code]


@pytest.mark.parametrize(
    ("hash_name", "hashes"),
    [("md5", HASHES), ("sha1", {1: b"\x01" * 20}), ("sha1", {0: b"\x01" * 20, 1: b"\x01" * 20}), ("sha256", HASHES)],
)
def test_what_is_not_built(hash_name: str, hashes: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match=r"security object|from 1 to 16|octets"):
        build_lds_security_object(hash_name, hashes)


@given(st.binary(max_size=100))
def test_any_octets(raw: bytes) -> None:
    for data in (raw, der.encode_sequence(raw), by_hand(hashes=raw.hex()), by_hand(tail=raw.hex())):
        try:
            decode_lds_security_object(data, [])
        except DecodeError:
            continue
    with pytest.raises(DecodeError):
        decode_ef_sod(raw)


# --- EF.SOD


@dataclass(frozen=True, slots=True)
class Document:
    csca_key: issuer.Key
    csca: bytes
    ds_key: issuer.Key
    ds: bytes
    sod: bytes


def issue(
    csca_key: issuer.Key, ds_key: issuer.Key, *, explicit: bool = True, version: LdsVersion | None = None
) -> Document:
    csca = issuer.csca_certificate(csca_key, explicit=explicit)
    ds = issuer.ds_certificate(csca_key, ds_key, explicit=explicit)
    return Document(csca_key, csca, ds_key, ds, issuer.ef_sod(ds_key, ds, lds_version=version))


@pytest.fixture(scope="module")
def document() -> Document:
    return issue(issuer.ec_key(), issuer.ec_key(), version=V1)


def check(raw: bytes, csca: bytes) -> None:
    """What Passive Authentication does up to the CSCA, without its policy."""
    sod = decode_ef_sod(raw)
    signed, info = sod.signed_data, sod.signed_data.signer_info
    (ds_raw,) = sod.certificates
    ds, anchor = decode_certificate(ds_raw), decode_certificate(csca)
    if (ds.issuer_raw, ds.serial) != (info.issuer_raw, info.serial) or ds.issuer_raw != anchor.subject_raw:
        raise LookupError
    digest_name = oid.HASH_NAMES.get(info.digest_algorithm.oid)
    assert info.signed_attributes is not None
    if (
        digest_name is None
        or hashlib.new(digest_name, signed.content).digest() != info.signed_attributes.message_digest
    ):
        raise LookupError
    algorithm = decode_signature_algorithm(info.signature_algorithm, digest_name)
    verify_signature(load_public_key(ds.spki_raw), algorithm, info.signed_attributes.canonical, info.signature)
    anchor_key = load_public_key(anchor.spki_raw)
    verify_signature(anchor_key, decode_signature_algorithm(ds.signature_algorithm), ds.tbs_raw, ds.signature)


@pytest.mark.parametrize(
    ("csca_key", "ds_key"),
    [
        (issuer.ec_key("brainpoolP384r1", "sha384"), issuer.ec_key("brainpoolP256r1")),
        (issuer.ec_key("P-521", "sha512"), issuer.ec_key("P-384", "sha384")),
        (issuer.rsa_key(), issuer.rsa_key(pss=True)),
        (issuer.rsa_key(hash_name="sha512", pss=True), issuer.rsa_key(hash_name="sha224")),
    ],
)
@pytest.mark.parametrize("version", [None, V1])
def test_sod_of_every_kind(csca_key: issuer.Key, ds_key: issuer.Key, version: LdsVersion | None) -> None:
    document = issue(csca_key, ds_key, version=version)
    sod = decode_ef_sod(document.sod)
    assert sod.raw == document.sod
    assert sod.certificates == (document.ds,)
    assert sod.hash_algorithm == "sha256"
    assert sod.data_group_hashes == issuer.data_group_hashes()
    assert sod.lds_version == (None if version is None else "0108")
    check(document.sod, document.csca)


def test_openssl_verifies_the_named_twin(tmp_path: Path) -> None:
    document = issue(issuer.ec_key("brainpoolP384r1", "sha384"), issuer.ec_key("brainpoolP256r1"), explicit=False)
    (tmp_path / "cms.der").write_bytes(document.sod[4:])
    pem = subprocess.run(["openssl", "x509", "-inform", "DER"], input=document.csca, capture_output=True, check=True)
    (tmp_path / "csca.pem").write_bytes(pem.stdout)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(tmp_path / "cms.der"), "-purpose", "any"]
    command += ["-CAfile", str(tmp_path / "csca.pem"), "-attime", str(int(issuer.SIGNING_TIME.timestamp()))]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == decode_ef_sod(document.sod).signed_data.content


def test_departures_of_the_file(document: Document) -> None:
    content = build_lds_security_object("sha256", issuer.data_group_hashes())
    legacy = encode_ef_sod(
        issuer.signed_data(document.ds_key, document.ds, content, content_type=oid.LEGACY_LDS_SECURITY_OBJECTS[0])
    )
    stranger = encode_ef_sod(
        issuer.signed_data(document.ds_key, document.ds, content, content_type=oid.CSCA_MASTER_LIST)
    )
    two = issuer.ef_sod(document.ds_key, document.ds, certificates=(document.ds, document.csca))
    for raw, code in ((legacy, DefectCode.CONTENT_TYPE), (two, DefectCode.CERTIFICATE_COUNT)):
        with pytest.raises(DecodeError):
            decode_ef_sod(raw)
        defects: list[Defect] = []
        decode_ef_sod(raw, defects)
        assert [item.code for item in defects] == [code]
    with pytest.raises(DecodeError, match="no LDS security object"):
        decode_ef_sod(stranger, [])


def test_trailing_octets_and_size(document: Document) -> None:
    for raw in (document.sod + b"\x00", document.sod[:-1], b"\x78" + document.sod[1:], bytes(1 << 17)):
        with pytest.raises(DecodeError):
            decode_ef_sod(raw, [])


def test_document_without_certificate(document: Document) -> None:
    assert decode_ef_sod(issuer.ef_sod(document.ds_key, document.ds, certificates=())).certificates == ()


def regions(document: Document) -> dict[str, tuple[int, int]]:
    """Where the parts lie that a signature or a comparison protects: strict decoding need not notice a change."""
    signed = decode_ef_sod(document.sod).signed_data
    info = signed.signer_info
    assert info.signed_attributes is not None
    assert info.issuer_raw is not None
    place = document.sod.rindex
    sid = place(info.issuer_raw)
    algorithm = info.signature_algorithm.encode()
    digest = info.digest_algorithm.encode()
    parts = {
        "content": (document.sod.index(signed.content), len(signed.content)),
        "certificate": (document.sod.index(document.ds), len(document.ds)),
        "sid": (sid, len(info.issuer_raw) + 2 + (info.serial or 0).bit_length() // 8 + 1),
        "digestAlgorithm": (place(digest, 0, place(info.signed_attributes.stored[1:])), len(digest)),
        "signedAttrs": (place(info.signed_attributes.stored[1:]), len(info.signed_attributes.stored) - 1),
        "signatureAlgorithm": (place(algorithm), len(algorithm)),
        "signature": (place(info.signature), len(info.signature)),
    }
    return {name: (start, start + length) for name, (start, length) in parts.items()}


def region_of(places: dict[str, tuple[int, int]], place: int) -> str:
    return next((name for name, (start, stop) in places.items() if start <= place < stop), "envelope")


def test_every_flipped_bit_is_refused(document: Document) -> None:
    """Strict decoding alone refuses every change outside of what is signed or compared; the check refuses the rest."""
    places = regions(document)
    passed_decoding: Counter[str] = Counter()
    for place in range(len(document.sod)):
        region = region_of(places, place)
        bits = range(8) if region in ("envelope", "digestAlgorithm", "signatureAlgorithm") else (place % 8,)
        for bit in bits:
            raw = bytearray(document.sod)
            raw[place] ^= 1 << bit
            try:
                decode_ef_sod(bytes(raw))
            except DecodeError:
                continue
            passed_decoding[region] += 1
            with pytest.raises((DecodeError, VerificationError, LookupError)):
                check(bytes(raw), document.csca)
    assert "envelope" not in passed_decoding
    assert "digestAlgorithm" not in passed_decoding
    assert set(passed_decoding) <= {"content", "certificate", "sid", "signedAttrs", "signatureAlgorithm", "signature"}


def test_mutations_raise_decode_error_only(document: Document) -> None:
    source = random.Random(10)
    for _ in range(2000):
        raw = bytearray(document.sod)
        for _ in range(source.choice((1, 1, 3, 8))):
            raw[source.randrange(len(raw))] = source.randrange(256)
        for defects in (None, []):
            try:
                decode_ef_sod(bytes(raw), defects)
            except DecodeError:
                continue


def test_security_objects_serve_as_keys(document: Document) -> None:
    assert len({decode_ef_sod(document.sod), decode_ef_sod(document.sod)}) == 1
