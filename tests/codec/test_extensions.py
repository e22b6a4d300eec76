from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import der, oid
from eid.codec import extension_builders as build
from eid.codec.defect import Defect, DefectCode
from eid.codec.extensions import BasicConstraints, Extension, Extensions, GeneralName, KeyUsage, read_extensions
from eid.codec.name import encode_name
from eid.codec.x509 import decode_certificate
from eid.errors import DecodeError

KEY = ec.generate_private_key(ec.SECP256R1())
START, STOP = datetime(2026, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)


def read(*items: Extension, defects: list[Defect] | None = None) -> Extensions:
    raw = der.encode_sequence(*(item.encode() for item in items))
    return read_extensions(raw, 0, len(raw), defects)


def of_library(*items: tuple[x509.ExtensionType, bool]) -> Extensions:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, START, STOP)
    for item, critical in items:
        builder = builder.add_extension(item, critical)
    return decode_certificate(builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)).extensions


def test_what_the_library_writes() -> None:
    uri = x509.UniformResourceIdentifier("https://example.org/crl")
    place = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.LOCALITY_NAME, "UTO")]))
    reasons = frozenset([x509.ReasonFlags.key_compromise])
    read_back = of_library(
        (x509.BasicConstraints(True, 0), True),
        (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid.CSCA_MASTER_LIST_SIGNING_KEY)]), True),
        (x509.SubjectKeyIdentifier(b"ski"), False),
        (x509.AuthorityKeyIdentifier(b"aki", [place], 77), False),
        (x509.PrivateKeyUsagePeriod(START, STOP), False),
        (x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.RFC822Name("a@example.org"), place]), False),
        (x509.IssuerAlternativeName([uri]), False),
        (x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, reasons, [place])]), False),
        (x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)]), True),
    )
    assert read_back.basic_constraints == BasicConstraints(True, 0)
    assert read_back.key_usage == KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN
    assert read_back.extended_key_usage == (oid.CSCA_MASTER_LIST_SIGNING_KEY,)
    assert read_back.subject_key_identifier == b"ski"
    identifier = read_back.authority_key_identifier
    assert identifier is not None
    assert (identifier.key_identifier, identifier.serial, len(identifier.issuer)) == (b"aki", 77, 1)
    period = read_back.private_key_usage_period()
    assert period is not None
    assert (period.not_before, period.not_after) == (START, STOP)
    assert [name.text for name in read_back.subject_alternative_name()] == ["a.example", "a@example.org", None]
    assert read_back.issuer_alternative_name() == (build.uri_name("https://example.org/crl"),)
    (point,) = read_back.crl_distribution_points()
    assert (point.full_name[0].text, point.reasons, point.crl_issuer[0].kind) == ("https://example.org/crl", 2, 4)
    assert read_back.unknown_critical == (oid.CERTIFICATE_POLICIES,)
    assert len(read_back.all) == 10
    read_back.check()


def test_what_we_build_is_read_back() -> None:
    place = build.directory_name(encode_name((("L", "MAR"),)))
    mail = build.email_name("csca@example.org")
    items = (
        build.basic_constraints(True, 0),
        build.key_usage(KeyUsage.DIGITAL_SIGNATURE),
        build.extended_key_usage((oid.CSCA_MASTER_LIST_SIGNING_KEY,)),
        build.subject_key_identifier(b"\x01" * 20),
        build.authority_key_identifier(b"\x02" * 20),
        build.private_key_usage_period(START, STOP),
        build.subject_alternative_name((place, mail)),
        build.issuer_alternative_name((place,)),
        build.crl_distribution_points(("https://example.org/a", "https://example.org/b")),
        build.document_type_list(("P", "ID")),
        build.name_change(),
        build.crl_number(300),
    )
    value = read(*items)
    assert value.all == items
    assert value.basic_constraints == BasicConstraints(True, 0)
    assert value.key_usage == KeyUsage.DIGITAL_SIGNATURE
    assert value.subject_alternative_name() == (place, mail)
    assert value.issuer_alternative_name() == (place,)
    assert [point.full_name[0].text for point in value.crl_distribution_points()][1] == "https://example.org/b"
    assert value.document_types() == ("P", "ID")
    assert value.name_change
    assert value.crl_number() == 300
    assert value.unknown_critical == ()
    assert value.find(oid.CRL_NUMBER) == items[-1]
    value.check()


def test_absent_extensions() -> None:
    value = Extensions()
    value.check()
    assert (value.private_key_usage_period(), value.document_types(), value.crl_number()) == (None, None, None)
    assert (value.subject_alternative_name(), value.crl_distribution_points(), value.name_change) == ((), (), False)
    assert (value.find(oid.KEY_USAGE), value.all) == (None, ())


def test_numbers_have_bounds() -> None:
    """Python writes no number of over 4,300 digits, and no list may be refused for one certificate that has such."""
    assert read(build.crl_number((1 << 160) - 1)).crl_number() == (1 << 160) - 1
    with pytest.raises(DecodeError, match="over 20 octets"):
        read(build.crl_number(1 << 160)).crl_number()
    assert read(build.basic_constraints(True, (1 << 31) - 1)).basic_constraints == BasicConstraints(True, (1 << 31) - 1)
    with pytest.raises(DecodeError, match="pathLenConstraint"):
        read(build.basic_constraints(True, 1 << 31))


def test_document_types_in_the_form_of_doc_9303_12() -> None:
    assert build.document_type_list(("ID",)).value.hex() == "3009020100310413024944"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (oid.BASIC_CONSTRAINTS, "3003010101"),
        (oid.BASIC_CONSTRAINTS, "30060101ff0201ff"),
        (oid.BASIC_CONSTRAINTS, "30000500"),
        (oid.BASIC_CONSTRAINTS, "300a0101ff02050080000000"),
        (oid.KEY_USAGE, "03020600"),
        (oid.KEY_USAGE, "0302078005"),
        (oid.EXTENDED_KEY_USAGE, "30020601"),
        (oid.SUBJECT_KEY_IDENTIFIER, "0401"),
        (oid.AUTHORITY_KEY_IDENTIFIER, "3003830101"),
    ],
)
def test_malformed_values_read_at_once(name: str, text: str) -> None:
    item = Extension(name, True, bytes.fromhex(text))
    with pytest.raises(DecodeError):
        read(item)
    defects: list[Defect] = []
    assert read(item, defects=defects).unknown_critical == (name,)
    assert [found.code for found in defects] == [DefectCode.MALFORMED_EXTENSION]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (oid.PRIVATE_KEY_USAGE_PERIOD, "300f800d3236303130313030303030305a"),
        (oid.PRIVATE_KEY_USAGE_PERIOD, "3002820 0".replace(" ", "")),
        (oid.SUBJECT_ALTERNATIVE_NAME, "30028900"),
        (oid.SUBJECT_ALTERNATIVE_NAME, "3003a60161"),
        (oid.SUBJECT_ALTERNATIVE_NAME, "30038601ff"),
        (oid.ISSUER_ALTERNATIVE_NAME, "3004a4020500"),
        (oid.CRL_DISTRIBUTION_POINTS, "30053003a0018 0".replace(" ", "")),
        (oid.CRL_DISTRIBUTION_POINTS, "30043002a300"),
        (oid.DOCUMENT_TYPE_LIST, "30050201013100"),
        (oid.DOCUMENT_TYPE_LIST, "3005020100 3000".replace(" ", "")),
        (oid.NAME_CHANGE, "0400"),
        (oid.CRL_NUMBER, "0201ff"),
    ],
)
def test_malformed_values_read_on_request(name: str, text: str) -> None:
    value = read(Extension(name, False, bytes.fromhex(text)))
    with pytest.raises(DecodeError):
        value.check()
    defects: list[Defect] = []
    value.check(defects)
    assert [found.code for found in defects] == [DefectCode.MALFORMED_EXTENSION]


def test_misordered_document_types_are_a_defect() -> None:
    items = der.encode(der.SET, bytes.fromhex("1302494413 0150".replace(" ", "")))
    value = read(Extension(oid.DOCUMENT_TYPE_LIST, False, der.encode_sequence(der.encode_integer(0), items)))
    with pytest.raises(DecodeError, match="out of order"):
        value.document_types()
    defects: list[Defect] = []
    assert value.document_types(defects) == ("ID", "P")
    assert [found.code for found in defects] == [DefectCode.SET_ORDER]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (der.encode_sequence(), DefectCode.EMPTY_LIST),
        (
            der.encode_sequence(
                build.subject_key_identifier(b"a").encode(), build.subject_key_identifier(b"b").encode()
            ),
            DefectCode.DUPLICATE_EXTENSION,
        ),
        (
            der.encode_sequence(
                der.encode_sequence(der.encode_oid("1.2.3"), der.encode_boolean(False), der.encode_octet_string(b""))
            ),
            DefectCode.ENCODED_DEFAULT,
        ),
        (
            der.encode_sequence(Extension(oid.BASIC_CONSTRAINTS, True, bytes.fromhex("3003010100")).encode()),
            DefectCode.ENCODED_DEFAULT,
        ),
    ],
)
def test_tolerable_departures(raw: bytes, code: DefectCode) -> None:
    with pytest.raises(DecodeError):
        read_extensions(raw, 0, len(raw))
    defects: list[Defect] = []
    read_extensions(raw, 0, len(raw), defects)
    assert [found.code for found in defects] == [code]


def test_distribution_point_relative_to_its_issuer() -> None:
    relative = der.encode(0xA1, bytes.fromhex("300906035504060c024d41"))
    raw = der.encode_sequence(der.encode_sequence(der.encode_explicit(0, relative)))
    (point,) = read(Extension(oid.CRL_DISTRIBUTION_POINTS, False, raw)).crl_distribution_points()
    assert (point.full_name, point.reasons, point.crl_issuer) == ((), None, ())


def test_text_of_general_names() -> None:
    assert GeneralName(7, b"\x7f\x00\x00\x01").text is None
    assert build.uri_name("https://example.org").encode()[0] == 0x86
    assert build.directory_name(encode_name((("C", "UT"),))).encode()[0] == 0xA4


KNOWN = (
    oid.BASIC_CONSTRAINTS,
    oid.KEY_USAGE,
    oid.EXTENDED_KEY_USAGE,
    oid.AUTHORITY_KEY_IDENTIFIER,
    oid.PRIVATE_KEY_USAGE_PERIOD,
    oid.SUBJECT_ALTERNATIVE_NAME,
    oid.CRL_DISTRIBUTION_POINTS,
    oid.DOCUMENT_TYPE_LIST,
    oid.NAME_CHANGE,
    oid.CRL_NUMBER,
)


@given(st.sampled_from(KNOWN), st.binary(max_size=30), st.booleans())
def test_any_value(name: str, content: bytes, wrapped: bool) -> None:
    value = der.encode_sequence(content) if wrapped else content
    defects: list[Defect] = []
    read(Extension(name, True, value), defects=defects).check(defects)
    try:
        read(Extension(name, True, value)).check()
    except DecodeError:
        assert defects
    else:
        assert not defects
