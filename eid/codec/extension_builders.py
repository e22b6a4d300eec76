"""Building certificate and CRL extensions, with the criticality of Doc 9303-12 table 6."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from eid.codec import der, oid
from eid.codec.extensions import Extension, GeneralName, GeneralNameKind


def basic_constraints(ca: bool, path_length: int | None = None) -> Extension:
    """BasicConstraints, critical."""
    fields = der.encode_boolean(True) if ca else b""
    if path_length is not None:
        fields += der.encode_integer(path_length)
    return Extension(oid.BASIC_CONSTRAINTS, True, der.encode_sequence(fields))


def key_usage(bits: int) -> Extension:
    """KeyUsage, critical."""
    return Extension(oid.KEY_USAGE, True, der.encode_named_bits(int(bits)))


def extended_key_usage(purposes: Sequence[str], critical: bool = True) -> Extension:
    """ExtKeyUsageSyntax; critical for master list signers (Doc 9303-12 table 7)."""
    return Extension(oid.EXTENDED_KEY_USAGE, critical, der.encode_sequence(*map(der.encode_oid, purposes)))


def subject_key_identifier(value: bytes) -> Extension:
    """SubjectKeyIdentifier."""
    return Extension(oid.SUBJECT_KEY_IDENTIFIER, False, der.encode_octet_string(value))


def authority_key_identifier(value: bytes) -> Extension:
    """AuthorityKeyIdentifier with the keyIdentifier alone."""
    return Extension(oid.AUTHORITY_KEY_IDENTIFIER, False, der.encode_sequence(der.encode(0x80, value)))


def private_key_usage_period(not_before: datetime, not_after: datetime) -> Extension:
    """PrivateKeyUsagePeriod, both ends, in UTC and whole seconds."""
    times = (
        der.encode(der.context(number), der.format_generalized_time(time))
        for number, time in enumerate((not_before, not_after))
    )
    return Extension(oid.PRIVATE_KEY_USAGE_PERIOD, False, der.encode_sequence(*times))


def subject_alternative_name(names: Iterable[GeneralName]) -> Extension:
    """SubjectAltName."""
    return Extension(oid.SUBJECT_ALTERNATIVE_NAME, False, _encode_names(names))


def issuer_alternative_name(names: Iterable[GeneralName]) -> Extension:
    """IssuerAltName."""
    return Extension(oid.ISSUER_ALTERNATIVE_NAME, False, _encode_names(names))


def _encode_names(names: Iterable[GeneralName]) -> bytes:
    return der.encode_sequence(*(name.encode() for name in names))


def uri_name(uri: str) -> GeneralName:
    """GeneralName of a URI in ASCII."""
    return GeneralName(GeneralNameKind.URI, uri.encode("ascii"))


def email_name(address: str) -> GeneralName:
    """GeneralName of an e-mail address in ASCII."""
    return GeneralName(GeneralNameKind.RFC822_NAME, address.encode("ascii"))


def directory_name(name: bytes) -> GeneralName:
    """GeneralName of a Name in DER (Doc 9303-12 7.1.1: localityName with the issuing state's three letters)."""
    return GeneralName(GeneralNameKind.DIRECTORY_NAME, name)


def crl_distribution_points(uris: Iterable[str]) -> Extension:
    """CRLDistributionPoints, one point for each URI."""
    points = (
        der.encode_sequence(der.encode_explicit(0, der.encode_explicit(0, uri_name(uri).encode()))) for uri in uris
    )
    return Extension(oid.CRL_DISTRIBUTION_POINTS, False, der.encode_sequence(*points))


def document_type_list(types: Iterable[str]) -> Extension:
    """DocumentTypeList (Doc 9303-12 7.1.1), such as ("ID",) or ("P", "PD")."""
    names = der.encode_set_of(der.encode_string(der.PRINTABLE_STRING, name) for name in types)
    return Extension(oid.DOCUMENT_TYPE_LIST, False, der.encode_sequence(der.encode_integer(0), names))


def name_change() -> Extension:
    """NameChange (Doc 9303-12 7.1.1): marks a link certificate whose subject differs from its issuer's name."""
    return Extension(oid.NAME_CHANGE, False, der.encode_null())


def crl_number(number: int) -> Extension:
    """CRLNumber."""
    return Extension(oid.CRL_NUMBER, False, der.encode_integer(number))
