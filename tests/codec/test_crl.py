from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import crl as crl_module
from eid.codec import der, oid
from eid.codec.algorithm import ecdsa_identifier
from eid.codec.crl import RevokedCertificate, decode_crl
from eid.codec.defect import Defect, DefectCode
from eid.codec.extensions import Extension
from eid.errors import DecodeError
from tests.builders import issuer

if TYPE_CHECKING:
    from tests.codec.conftest import Chain

WHEN = datetime(2026, 2, 1, 12, 0, 0, tzinfo=UTC)
REVOKED = (RevokedCertificate(5, WHEN), RevokedCertificate(1 << 100, WHEN, reason=1))
ALGORITHM = ecdsa_identifier("sha256").encode()


def test_round_trip_and_openssl(chain: Chain) -> None:
    raw = issuer.crl(chain.csca_key, REVOKED, number=300)
    crl = decode_crl(raw)
    assert (crl.version, crl.issuer_country, str(crl.issuer())) == (2, "UT", "C=UT,O=SPECIMEN,CN=SPECIMEN CSCA")
    assert (crl.this_update, crl.next_update) == (issuer.NOT_BEFORE, issuer.NOT_AFTER)
    assert {serial: (entry.revoked_at, entry.reason) for serial, entry in crl.revoked.items()} == {
        5: (WHEN, None),
        1 << 100: (WHEN, 1),
    }
    assert crl.extensions.crl_number() == 300
    done = subprocess.run(
        ["openssl", "crl", "-inform", "DER", "-noout", "-text"], input=raw, capture_output=True, check=True
    )
    text = done.stdout.decode()
    assert "X509v3 CRL Number: \n                300" in text
    assert "Key Compromise" in text
    assert "Serial Number: 05" in text


def test_the_library_reads_and_verifies_ours(named_chain: Chain) -> None:
    crl = x509.load_der_x509_crl(issuer.crl(named_chain.csca_key, REVOKED, explicit=False))
    public_key = named_chain.csca_key.private.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    assert crl.is_signature_valid(public_key)
    assert len(crl) == 2
    empty = x509.load_der_x509_crl(issuer.crl(named_chain.csca_key, explicit=False))
    assert len(empty) == 0


def test_what_the_library_writes() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "ma")])
    entry = x509.RevokedCertificateBuilder(77, WHEN).add_extension(x509.CRLReason(x509.ReasonFlags.superseded), False)
    entry = entry.add_extension(x509.InvalidityDate(WHEN), False)
    other = x509.RevokedCertificateBuilder(78, WHEN).add_extension(x509.CertificateIssuer([x509.DNSName("x")]), True)
    builder = x509.CertificateRevocationListBuilder(name, WHEN, datetime(2060, 1, 1, tzinfo=UTC))
    builder = builder.add_revoked_certificate(entry.build()).add_revoked_certificate(other.build())
    theirs = builder.add_extension(x509.DeltaCRLIndicator(3), True).sign(key, hashes.SHA256())
    crl = decode_crl(theirs.public_bytes(Encoding.DER))
    assert crl.tbs_raw == theirs.tbs_certlist_bytes
    assert crl.signature == theirs.signature
    assert crl.issuer_country == "MA"
    assert crl.revoked[77].reason == 4
    assert crl.revoked[77].unknown_critical == ()
    assert crl.revoked[78].unknown_critical == (oid.CERTIFICATE_ISSUER,)
    assert crl.extensions.unknown_critical == (oid.DELTA_CRL_INDICATOR,)


def by_hand(*parts: bytes, version: bytes = b"\x02\x01\x01") -> bytes:
    tbs = der.encode_sequence(version, ALGORITHM, issuer.CSCA_NAME, der.encode_time(WHEN), *parts)
    return der.encode_sequence(tbs, ALGORITHM, b"\x03\x03\x00\x30\x00")


def entry_of(serial: int, *extensions: bytes) -> bytes:
    tail = der.encode_sequence(*extensions) if extensions else b""
    return der.encode_sequence(der.encode_integer(serial), der.encode_time(WHEN), tail)


def test_optional_parts() -> None:
    crl = decode_crl(by_hand(version=b""))
    assert (crl.version, crl.next_update, dict(crl.revoked), crl.extensions.all) == (1, None, {}, ())


def test_serial_listed_twice() -> None:
    with pytest.raises(DecodeError, match="listed twice"):
        decode_crl(by_hand(der.encode_sequence(entry_of(5), entry_of(5))), [])


def test_empty_list_is_a_defect() -> None:
    with pytest.raises(DecodeError, match="empty"):
        decode_crl(by_hand(der.encode_sequence()))
    defects: list[Defect] = []
    decode_crl(by_hand(der.encode_sequence()), defects)
    assert [item.code for item in defects] == [DefectCode.EMPTY_LIST]


@pytest.mark.parametrize("value", ["0a0107", "0a010b", "0a0180", "020101", "0a02000 1".replace(" ", ""), ""])
def test_malformed_reason(value: str) -> None:
    reason = Extension(oid.REASON_CODE, False, bytes.fromhex(value)).encode()
    with pytest.raises(DecodeError, match="CRLReason"):
        decode_crl(by_hand(der.encode_sequence(entry_of(5, reason))))


@pytest.mark.parametrize(
    "raw",
    [
        by_hand(version=b"\x02\x01\x02"),
        by_hand(b"\x05\x00"),
        by_hand(der.encode_sequence(b"\x05\x00")),
        by_hand(bytes.fromhex("a0023000"), b"\x05\x00"),
        by_hand() + b"\x00",
        by_hand()[:-2],
    ],
)
def test_malformed_lists(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_crl(raw, [])


@given(st.binary(max_size=100))
def test_any_octets(raw: bytes) -> None:
    for data in (raw, by_hand(raw), by_hand(der.encode_sequence(raw))):
        try:
            decode_crl(data)
        except DecodeError:
            continue


def test_ten_thousand_entries() -> None:
    entries = b"".join(entry_of(serial) for serial in range(1, 10_001))
    assert len(decode_crl(by_hand(der.encode(der.SEQUENCE, entries))).revoked) == 10_000


def test_lists_serve_as_keys() -> None:
    assert len({decode_crl(by_hand()), decode_crl(by_hand())}) == 1


REASON = bytes.fromhex("300c300a0603551d1504030a01")


@given(
    serial=st.sampled_from(
        (b"\x00", b"\x01", b"\x7f", b"\x80", b"\x00\x80", b"\x00\x7f", b"\x01" * 20, b"\x01" * 21, b"")
    ),
    time=st.sampled_from((b"260101000000Z", b"260230000000Z", b"261301000000Z", b"260101240000Z", b"260101006000Z"))
    | st.text("0123456789Z", min_size=12, max_size=14).map(str.encode),
    tail=st.sampled_from((b"", REASON + b"\x01", REASON + b"\x07", REASON + b"\x0b", b"\x30\x00", b"\x05\x00", REASON)),
    surplus=st.integers(-1, 1),
)
def test_the_shortcut_for_entries_reads_what_the_long_way_reads(
    serial: bytes, time: bytes, tail: bytes, surplus: int
) -> None:
    content = der.encode(2, serial) + der.encode(der.UTC_TIME, time) + tail
    raw = bytes((0x30, len(content) + surplus)) + content
    try:
        shortcut = crl_module._read_common_entry(raw, 0, len(raw), set())
    except DecodeError:
        shortcut = None
    if shortcut == (0, 0):
        return
    try:
        start, stop = der.enter(raw, 0, len(raw), der.SEQUENCE, "entry")
        slow = crl_module._read_entry(raw, start, stop, None)
    except DecodeError:
        assert shortcut is None
        return
    assert shortcut == (slow.serial, stop)
    assert slow.unknown_critical == ()
