from __future__ import annotations

import json
import random
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import der, oid
from eid.codec import extension_builders as build
from eid.codec.algorithm import ecdsa_identifier, pss_identifier
from eid.codec.defect import Defect, DefectCode
from eid.codec.extensions import BasicConstraints, Extension, KeyUsage
from eid.codec.x509 import decode_certificate, encode_certificate, encode_tbs_certificate, format_serial
from eid.errors import DecodeError
from tests.builders import issuer
from tests.builders.rsa_keys import rsa_private_key

if TYPE_CHECKING:
    from tests.codec.conftest import Chain

VECTORS: Any = json.loads((Path(__file__).parents[1] / "vectors" / "tr03110-certificates.json").read_text())


def openssl(*arguments: str, given_input: bytes = b"") -> str:
    done = subprocess.run(["openssl", *arguments], input=given_input, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


# --- what others write


def library_certificate(key: Any, algorithm: hashes.HashAlgorithm, pss: bool = False) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "MA"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "SPECIMEN"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "CSCA é"),
        ]
    )
    start, stop = datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 2**158 + 7, start, stop)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), True)
    scheme = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size) if pss else None
    return builder.sign(key, algorithm, rsa_padding=scheme)


@pytest.mark.parametrize(
    ("key", "algorithm", "pss"),
    [
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), False),
        (ec.generate_private_key(ec.BrainpoolP384R1()), hashes.SHA384(), False),
        (ec.generate_private_key(ec.SECP521R1()), hashes.SHA512(), False),
        (rsa_private_key(2048), hashes.SHA256(), False),
        (rsa_private_key(2048), hashes.SHA512(), True),
    ],
)
def test_certificates_of_the_library(key: Any, algorithm: hashes.HashAlgorithm, pss: bool) -> None:
    theirs = library_certificate(key, algorithm, pss)
    raw = theirs.public_bytes(Encoding.DER)
    ours = decode_certificate(raw)
    assert ours.raw == raw
    assert ours.tbs_raw == theirs.tbs_certificate_bytes
    assert ours.serial == theirs.serial_number
    assert ours.signature == theirs.signature
    assert ours.signature_algorithm.oid == theirs.signature_algorithm_oid.dotted_string
    assert ours.issuer_raw == theirs.issuer.public_bytes()
    assert (ours.not_before, ours.not_after) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
    assert ours.spki_raw == key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert (ours.version, ours.country, ours.is_self_issued) == (3, "MA", True)
    assert ours.extensions.basic_constraints == BasicConstraints(True, 0)
    assert str(ours.subject()) == "C=MA,O=SPECIMEN,CN=CSCA é"


@pytest.mark.parametrize("kind", ["ecdh", "dh"])
def test_document_signer_of_the_eac_worked_example(kind: str) -> None:
    from eid.codec.cms import decode_signed_data

    signed = decode_signed_data(bytes.fromhex(VECTORS[kind]["ef_cardsecurity"]))
    certificate = decode_certificate(signed.certificates[0])
    reference = asn1.Certificate.load(signed.certificates[0])
    assert str(certificate.issuer()) == "C=DE,O=HJP Consulting,OU=Country Signer,CN=HJP PB CS"
    assert certificate.serial == reference.serial_number == signed.signer_info.serial
    assert certificate.signature_algorithm.oid == oid.RSASSA_PSS
    assert certificate.extensions.key_usage == KeyUsage.DIGITAL_SIGNATURE
    assert certificate.extensions.subject_key_identifier == reference.key_identifier
    assert certificate.not_before == datetime(2009, 9, 18, 7, 59, 53, tzinfo=UTC)


# --- what we write


def test_our_certificate_in_asn1crypto(chain: Chain) -> None:
    reference = asn1.Certificate.load(chain.ds, strict=True)
    ours = decode_certificate(chain.ds)
    assert reference.dump(force=True) == chain.ds
    assert reference.serial_number == ours.serial
    assert reference.subject.native["common_name"] == "SPECIMEN DS 1"
    assert reference.key_usage_value.native == {"digital_signature"}
    assert reference.key_identifier == ours.extensions.subject_key_identifier
    assert reference.authority_key_identifier == decode_certificate(chain.csca).extensions.subject_key_identifier
    assert reference.private_key_usage_period_value["not_after"].native == datetime(2026, 4, 1, tzinfo=UTC)
    assert reference["tbs_certificate"]["validity"]["not_after"].native == issuer.NOT_AFTER
    parameters = reference.public_key["algorithm"]["parameters"].chosen
    assert parameters["version"].native == "ecdpVer1"
    assert parameters["cofactor"].native == 1
    assert parameters["curve"]["seed"].native is None


def test_our_named_twin_in_the_library(named_chain: Chain) -> None:
    csca, ds = (x509.load_der_x509_certificate(raw) for raw in (named_chain.csca, named_chain.ds))
    ds.verify_directly_issued_by(csca)
    assert ds.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert csca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    names = ds.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["csca@example.org"]


def test_openssl_reads_explicit_parameters(chain: Chain) -> None:
    text = openssl("x509", "-inform", "DER", "-noout", "-text", given_input=chain.ds)
    assert "Field Type: prime-field" in text
    assert "Cofactor:  1" in text
    assert "Issuer: C = UT, O = SPECIMEN, CN = SPECIMEN CSCA" in text
    assert "Digital Signature" in text
    digits = "".join(text.split("Prime:")[1].split("A:")[0].split()).replace(":", "")
    assert digits == "00a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377"
    openssl("asn1parse", "-inform", "DER", given_input=chain.csca)


def test_openssl_verifies_the_named_chain(named_chain: Chain, tmp_path: Path) -> None:
    for name, raw in (("csca", named_chain.csca), ("ds", named_chain.ds)):
        pem = openssl("x509", "-inform", "DER", "-outform", "PEM", given_input=raw)
        (tmp_path / f"{name}.pem").write_text(pem)
    moment = str(int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()))
    done = openssl("verify", "-attime", moment, "-CAfile", str(tmp_path / "csca.pem"), str(tmp_path / "ds.pem"))
    assert done.strip().endswith("OK")


def test_round_trip_of_every_field(chain: Chain) -> None:
    ours = decode_certificate(chain.ds)
    tbs = encode_tbs_certificate(
        serial=ours.serial,
        signature_algorithm=ours.signature_algorithm,
        issuer=ours.issuer_raw,
        not_before=ours.not_before,
        not_after=ours.not_after,
        subject=ours.subject_raw,
        spki=ours.spki_raw,
        extensions=ours.extensions.all,
    )
    assert tbs == ours.tbs_raw
    assert encode_certificate(tbs, ours.signature_algorithm, ours.signature) == chain.ds


@pytest.mark.parametrize(
    ("serial", "text"),
    [(0, "00"), (1, "01"), (0x0EFF, "0EFF"), (-5, "-05"), (0x123 << 8, "012300")],
)
def test_serials_are_whole_octets(serial: int, text: str) -> None:
    """As openssl prints them, so that they can be compared by eye."""
    assert format_serial(serial) == text


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_serial_numbers_that_are_not_written(serial: int) -> None:
    with pytest.raises(ValueError, match="serial number"):
        issuer.certificate(KEY, KEY, (), serial=serial)


# --- departures


KEY = issuer.ec_key()
SPKI = KEY.spki(False)
ALGORITHM = ecdsa_identifier("sha256").encode()
VALIDITY = der.encode_sequence(der.encode_time(issuer.NOT_BEFORE), der.encode_time(issuer.NOT_AFTER))
EXTENSIONS = der.encode_explicit(3, der.encode_sequence(build.subject_key_identifier(b"x").encode()))
V3 = bytes.fromhex("a003020102")


def by_hand(
    *,
    version: bytes = V3,
    serial: bytes = b"\x02\x01\x05",
    inner: bytes = ALGORITHM,
    validity: bytes = VALIDITY,
    tail: bytes = EXTENSIONS,
    outer: bytes = ALGORITHM,
    signature: bytes = b"\x03\x03\x00\x30\x00",
    behind: bytes = b"",
) -> bytes:
    tbs = der.encode_sequence(version, serial, inner, issuer.CSCA_NAME, validity, issuer.DS_NAME, SPKI, tail)
    return der.encode_sequence(tbs, outer, signature, behind)


def test_by_hand_is_accepted() -> None:
    assert decode_certificate(by_hand()).serial == 5
    assert decode_certificate(by_hand(version=b"", tail=b"")).version == 1
    assert decode_certificate(by_hand(version=bytes.fromhex("a003020101"), tail=b"")).version == 2


# An element behind the parameters of the signature algorithm; keyUsage with trailing zero bits
EXTRA = der.encode_sequence(der.encode_oid(oid.ECDSA_WITH_SHA256), b"\x05\x00", b"\x05\x00")
PADDED_USAGE = der.encode_explicit(
    3, der.encode_sequence(Extension(oid.KEY_USAGE, True, bytes.fromhex("03020006")).encode())
)
GENERALIZED = der.encode(der.GENERALIZED_TIME, b"20260101000000Z")
TOLERABLE = {
    DefectCode.SERIAL_NOT_POSITIVE: by_hand(serial=b"\x02\x01\xff"),
    DefectCode.SERIAL_NOT_MINIMAL: by_hand(serial=b"\x02\x02\x00\x05"),
    DefectCode.ALGORITHM_PARAMETERS: by_hand(inner=EXTRA, outer=EXTRA),
    DefectCode.NAMED_BITS: by_hand(tail=PADDED_USAGE),
    DefectCode.SERIAL_TOO_LONG: by_hand(serial=der.encode_integer(1 << 168)),
    DefectCode.SIGNATURE_ALGORITHM_MISMATCH: by_hand(outer=ecdsa_identifier("sha384").encode()),
    DefectCode.ENCODED_DEFAULT: by_hand(version=bytes.fromhex("a003020100"), tail=b""),
    DefectCode.CERTIFICATE_VERSION: by_hand(version=b""),
    DefectCode.UNIQUE_IDENTIFIER: by_hand(tail=bytes.fromhex("810200ff") + EXTENSIONS),
    DefectCode.TIME_FORM: by_hand(validity=der.encode_sequence(GENERALIZED, der.encode_time(issuer.NOT_AFTER))),
    DefectCode.EMPTY_LIST: by_hand(tail=bytes.fromhex("a3023000")),
}


@pytest.mark.parametrize("code", sorted(TOLERABLE))
def test_tolerable_departures_are_refused_or_recorded(code: DefectCode) -> None:
    raw = TOLERABLE[code]
    with pytest.raises(DecodeError) as caught:
        decode_certificate(raw)
    assert caught.value.clause is not None
    defects: list[Defect] = []
    assert decode_certificate(raw, defects).raw == raw
    assert [item.code for item in defects] == [code]
    assert 0 < defects[0].offset < len(raw)


def test_zero_serial_is_not_positive() -> None:
    with pytest.raises(DecodeError, match="not positive"):
        decode_certificate(by_hand(serial=b"\x02\x01\x00"))


@pytest.mark.parametrize(
    "raw",
    [
        by_hand(version=bytes.fromhex("a003020103")),
        by_hand(version=bytes.fromhex("a0050201020500")),
        by_hand(serial=b"\x02\x00"),
        by_hand(validity=der.encode_sequence(der.encode_time(issuer.NOT_BEFORE))),
        by_hand(validity=der.encode_sequence(*(der.encode_time(issuer.NOT_BEFORE) for _ in range(3)))),
        by_hand(validity=der.encode_sequence(b"\x05\x00", der.encode_time(issuer.NOT_BEFORE))),
        by_hand(tail=EXTENSIONS + EXTENSIONS),
        by_hand(tail=b"\xa4\x00"),
        by_hand(outer=b""),
        by_hand(signature=b"\x03\x02\x01\x80"),
        by_hand(signature=b"\x04\x01\x00"),
        by_hand(behind=b"\x05\x00"),
        by_hand() + b"\x00",
        by_hand()[:-1],
        b"",
        bytes(1 << 17),
    ],
)
def test_malformed_certificates_are_never_tolerated(raw: bytes) -> None:
    for defects in (None, []):
        with pytest.raises(DecodeError):
            decode_certificate(raw, defects)


def test_no_signature_covers_the_outer_algorithm() -> None:
    """An inner algorithm with parameters must be repeated octet by octet."""
    inner = pss_identifier("sha256").encode()
    assert decode_certificate(by_hand(inner=inner, outer=inner)).signature_algorithm == pss_identifier("sha256")
    with pytest.raises(DecodeError, match="not the algorithm that is signed"):
        decode_certificate(by_hand(inner=inner, outer=pss_identifier("sha256", 20).encode()))


@given(st.binary(max_size=200))
def test_any_octets(raw: bytes) -> None:
    for data in (raw, der.encode_sequence(raw), der.encode_sequence(der.encode_sequence(V3 + raw))):
        with pytest.raises(DecodeError):
            decode_certificate(data)


def test_mutations_raise_decode_error_only(chain: Chain) -> None:
    source = random.Random(9303)
    for _ in range(2500):
        raw = bytearray(chain.ds)
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
                certificate = decode_certificate(bytes(raw), defects)
                certificate.extensions.check(defects)
                str(certificate.subject(defects))
            except DecodeError:
                continue


def outcome(raw: bytes) -> object:
    try:
        return decode_certificate(raw)
    except DecodeError:
        return None


def test_shortcuts_read_what_the_general_way_reads(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """The common shapes of times and extensions are read by comparison: the same certificates, the same refusals."""
    source = random.Random(5280)
    inputs = [chain.csca, chain.ds]
    start = chain.ds.index(issuer.CSCA_NAME)
    for _ in range(3000):
        raw = bytearray(chain.ds)
        for _ in range(source.choice((1, 1, 2, 3))):
            raw[source.randrange(start, len(raw) - 100)] = source.randrange(256)
        inputs.append(bytes(raw))
    quick = [outcome(raw) for raw in inputs]
    monkeypatch.setattr("eid.codec.x509._UTC_TIMES", b"")
    monkeypatch.setattr("eid.codec.extensions._SHA1_OCTETS", b"")
    monkeypatch.setattr("eid.codec.extensions._SHA1_AUTHORITY", b"")
    monkeypatch.setattr("eid.codec.extensions._USUAL_KEY_USAGES", {})
    monkeypatch.setattr("eid.codec.der._UTC_TIME_HEADER", b"")
    general = [outcome(raw) for raw in inputs]
    assert quick == general
    assert sum(item is None for item in quick) > 200
    assert sum(item is not None for item in quick) > 200


def test_certificates_serve_as_keys(chain: Chain) -> None:
    assert len({decode_certificate(chain.ds), decode_certificate(chain.ds), decode_certificate(chain.csca)}) == 2
