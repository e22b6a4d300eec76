"""A lint of certificates against the profile of Doc 9303-12 7.1: what departs from it, how badly, and which clause.

An ERROR is what a verifier must not overlook: the certificate does not say what it is for, or a forger gains by it. A
WARNING is a breach of a mandatory rule that leaves the certificate usable. A NOTICE is a matter of form. No grade
decides whether a certificate is used: that its key can be loaded and its signature verified does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from eid.codec import der, oid
from eid.codec.defect import Defect, DefectCode
from eid.codec.extensions import GeneralNameKind, KeyUsage
from eid.codec.name import Name, decode_name
from eid.codec.x509 import Certificate
from eid.crypto.public_key import decode_signature_algorithm
from eid.crypto.signatures import PublicKey, curve_of_key
from eid.errors import DecodeError, VerificationError

_TABLE_5: Final = "Doc 9303-12 7.1, table 5"
_TABLE_6: Final = "Doc 9303-12 7.1, table 6"
_NAMES: Final = "Doc 9303-12 7.1.1.1"
_ALTERNATIVE_NAMES: Final = "Doc 9303-12 7.1.1.2"


@unique
class Grade(StrEnum):
    """How badly a certificate departs from its profile."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    NOTICE = "NOTICE"


@unique
class Kind(StrEnum):
    """What a certificate is, by what it says of itself; the columns of Doc 9303-12 table 6."""

    CSCA = "CSCA"
    LINK = "LINK"
    DS = "DS"
    ML_SIGNER = "ML_SIGNER"
    DVL_SIGNER = "DVL_SIGNER"
    OTHER = "OTHER"

    @property
    def is_authority(self) -> bool:
        """Whether it issues certificates."""
        return self in (Kind.CSCA, Kind.LINK)


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure: a stable code, its grade, a sentence, the clause."""

    code: str
    grade: Grade
    what: str
    clause: str


# --- departures that the decoder met ----------------------------------------------------------------------------------

_DEFECT_GRADES: Final[dict[DefectCode, Grade]] = {
    DefectCode.SERIAL_NOT_POSITIVE: Grade.WARNING,
    DefectCode.SERIAL_TOO_LONG: Grade.WARNING,
    DefectCode.CERTIFICATE_VERSION: Grade.WARNING,
    DefectCode.UNIQUE_IDENTIFIER: Grade.WARNING,
    DefectCode.SIGNATURE_ALGORITHM_MISMATCH: Grade.ERROR,
    DefectCode.MALFORMED_EXTENSION: Grade.ERROR,
    DefectCode.DUPLICATE_EXTENSION: Grade.ERROR,
    DefectCode.NOT_DER: Grade.WARNING,
}


def grade_defects(defects: Iterable[Defect]) -> Iterator[Finding]:
    """What the decoder met, graded; matters of form where nothing else is said."""
    for item in dict.fromkeys(defects):
        yield Finding(item.code.value, _DEFECT_GRADES.get(item.code, Grade.NOTICE), item.what, item.clause)


# --- rules ------------------------------------------------------------------------------------------------------------


def lint_certificate(certificate: Certificate, kind: Kind, key: PublicKey | None) -> tuple[Finding, ...]:
    """Compare a certificate with the column of its kind.

    Args:
        key: its public key, None where it cannot be loaded.
    """
    findings = [found for rule in _RULES for found in rule(certificate, kind)]
    findings += _lint_algorithms(certificate, key)
    return tuple(dict.fromkeys(findings))


def _lint_body(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    if certificate.version != 3:
        yield Finding("VERSION", Grade.WARNING, f"version {certificate.version}, not 3", _TABLE_5)
    if certificate.not_before >= certificate.not_after:
        yield Finding("VALIDITY", Grade.ERROR, "it ends before it begins", "RFC 5280 4.1.2.5")
    if kind is Kind.CSCA and not certificate.is_self_issued:
        yield Finding("ISSUER_FORM", Grade.NOTICE, "issuer and subject are written differently", "RFC 5280 7.1")


def _lint_names(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    for what, raw in (("issuer", certificate.issuer_raw), ("subject", certificate.subject_raw)):
        for code, grade, text, clause in _lint_name(raw):
            yield Finding(code, grade, f"{what}: {text}", clause)
    if certificate.issuer_country != certificate.subject_country:
        what = "the countries of issuer and subject are not the same"
        yield Finding("COUNTRY_MISMATCH", Grade.ERROR, what, _TABLE_5)


@lru_cache(maxsize=256)  # thousands of signers' certificates name the same few issuers
def _lint_name(raw: bytes) -> tuple[tuple[str, Grade, str, str], ...]:
    """Code, grade, sentence and clause of each departure of a name."""
    try:
        return tuple(_find_name_departures(decode_name(raw, defects=[])))
    except DecodeError:
        return (("NAME_UNREADABLE", Grade.ERROR, "cannot be read", _NAMES),)


def _find_name_departures(name: Name) -> Iterator[tuple[str, Grade, str, str]]:
    country = name.country
    if country is None:
        yield "COUNTRY_MISSING", Grade.ERROR, "no countryName", _NAMES
    elif len(country) != 2 or not country.isascii() or not country.isalpha():
        yield "COUNTRY_FORM", Grade.WARNING, "countryName is not two letters", _NAMES
    elif not country.isupper():
        yield "COUNTRY_CASE", Grade.NOTICE, "countryName is not in upper case", _TABLE_5
    if name.find(oid.COMMON_NAME) is None:
        yield "COMMON_NAME_MISSING", Grade.NOTICE, "no commonName", _NAMES
    for attribute_type, tag in _string_types(name.raw):
        if tag not in _STRING_TYPES.get(attribute_type, _DIRECTORY_STRINGS):
            yield "NAME_STRING_TYPE", Grade.NOTICE, f"string type {tag:02X}", _TABLE_5


def _string_types(raw: bytes) -> Iterator[tuple[str, int]]:
    """Attribute type (dotted) and tag of each value of a Name that was read before."""
    start, stop = der.read_sequence(raw, "Name")
    for _, _, relative_start, relative_stop in der.split(raw, start, stop, "Name"):
        for _, _, pair_start, pair_stop in der.split(raw, relative_start, relative_stop, "Name"):
            attribute_type, offset = der.read_oid(raw, pair_start, pair_stop, "Name")
            yield attribute_type, raw[offset]


_DIRECTORY_STRINGS: Final = (der.PRINTABLE_STRING, der.UTF8_STRING)
_STRING_TYPES: Final[dict[str, tuple[int, ...]]] = {
    oid.COUNTRY_NAME: (der.PRINTABLE_STRING,),
    oid.SERIAL_NUMBER: (der.PRINTABLE_STRING,),
    oid.DOMAIN_COMPONENT: (der.IA5_STRING,),
    oid.EMAIL_ADDRESS: (der.IA5_STRING,),
}


def _lint_key_usage(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    usage = certificate.extensions.key_usage
    wanted = int(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN if kind.is_authority else KeyUsage.DIGITAL_SIGNATURE)
    if usage is None:
        yield Finding("KEY_USAGE_MISSING", Grade.ERROR, "no readable keyUsage", _TABLE_6)
    elif usage & wanted != wanted:
        yield Finding("KEY_USAGE", Grade.ERROR, "keyUsage lacks what its kind must have", _TABLE_6)
    elif usage != wanted:
        yield Finding("KEY_USAGE_EXCESS", Grade.WARNING, "keyUsage has more than its kind may have", _TABLE_6)


def _lint_basic_constraints(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    constraints = certificate.extensions.basic_constraints
    if not kind.is_authority:
        if constraints is not None:
            grade = Grade.ERROR if constraints.ca else Grade.NOTICE
            yield Finding("BASIC_CONSTRAINTS_PRESENT", grade, "basicConstraints in a signer's certificate", _TABLE_6)
    elif constraints is None:
        yield Finding("BASIC_CONSTRAINTS_MISSING", Grade.ERROR, "no readable basicConstraints", _TABLE_6)
    elif not constraints.ca:
        yield Finding("NO_AUTHORITY", Grade.ERROR, "basicConstraints deny that it is an authority", _TABLE_6)
    elif constraints.path_length != 0:
        stated = "not stated" if constraints.path_length is None else str(constraints.path_length)
        yield Finding("PATH_LENGTH", Grade.WARNING, f"pathLenConstraint is {stated}, not 0", _TABLE_6)


def _lint_purposes(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    purposes = certificate.extensions.extended_key_usage
    wanted = _PURPOSES.get(kind)
    if wanted is None and purposes is not None and kind is not Kind.OTHER:
        yield Finding("PURPOSE_PRESENT", Grade.WARNING, "extKeyUsage in a certificate that has none", _TABLE_6)
    elif wanted is not None and purposes != (wanted,):
        yield Finding("PURPOSE_EXCESS", Grade.WARNING, "extKeyUsage names further purposes", "Doc 9303-12 7.1.1.3")


_PURPOSES: Final = {
    Kind.ML_SIGNER: oid.CSCA_MASTER_LIST_SIGNING_KEY,
    Kind.DVL_SIGNER: oid.DEVIATION_LIST_SIGNING_KEY,
}

# Presence of the other extensions by kind, in the order of the columns: m mandatory, o optional, x forbidden.
_COLUMNS: Final = (Kind.CSCA, Kind.LINK, Kind.DS, Kind.ML_SIGNER, Kind.DVL_SIGNER)
_PRESENCE: Final[tuple[tuple[str, str, str, Grade], ...]] = (
    (oid.AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier", "ommmm", Grade.WARNING),
    (oid.SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", "mmooo", Grade.WARNING),
    (oid.PRIVATE_KEY_USAGE_PERIOD, "privateKeyUsagePeriod", "mmmoo", Grade.NOTICE),
    (oid.SUBJECT_ALTERNATIVE_NAME, "subjectAltName", "mmmmm", Grade.NOTICE),
    (oid.ISSUER_ALTERNATIVE_NAME, "issuerAltName", "mmmmm", Grade.NOTICE),
    (oid.CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints", "mmmmm", Grade.NOTICE),
    (oid.NAME_CHANGE, "nameChange", "ooxxx", Grade.WARNING),
    (oid.DOCUMENT_TYPE_LIST, "documentTypeList", "xxmxx", Grade.NOTICE),
    ("2.5.29.33", "policyMappings", "xxxxx", Grade.WARNING),
    ("2.5.29.9", "subjectDirectoryAttributes", "xxxxx", Grade.WARNING),
    ("2.5.29.30", "nameConstraints", "xxxxx", Grade.WARNING),
    ("2.5.29.36", "policyConstraints", "xxxxx", Grade.WARNING),
    ("2.5.29.46", "freshestCRL", "xxxxx", Grade.WARNING),
    ("2.16.840.1.113730.1.1", "netscape-cert-type", "xxxxx", Grade.WARNING),
)
_CRITICAL: Final = frozenset((oid.KEY_USAGE, oid.BASIC_CONSTRAINTS, oid.EXTENDED_KEY_USAGE))


def _lint_presence(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    if kind is Kind.OTHER:
        return
    column = _COLUMNS.index(kind)
    for dotted, name, columns, grade in _PRESENCE:
        is_there, rule = dotted in certificate.extensions.places, columns[column]
        if rule == "m" and not is_there:
            yield Finding("EXTENSION_MISSING", grade, f"no {name}", _TABLE_6)
        elif rule == "x" and is_there:
            yield Finding("EXTENSION_FORBIDDEN", grade, f"{name} is there", _TABLE_6)


def _lint_criticality(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    for dotted, (critical, _, _) in certificate.extensions.places.items():
        if critical and dotted not in _CRITICAL:
            known = dotted not in certificate.extensions.unknown_critical
            grade = Grade.NOTICE if known else Grade.ERROR
            yield Finding("CRITICAL", grade, f"extension {dotted} is critical", _TABLE_6)
        elif not critical and dotted in _CRITICAL and kind is not Kind.OTHER:
            yield Finding("NOT_CRITICAL", Grade.NOTICE, f"extension {dotted} is not critical", _TABLE_6)


def _lint_link(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    if kind is Kind.LINK and not certificate.is_self_issued and not certificate.extensions.name_change:
        what = "the name changes, and nameChange does not say so"
        yield Finding("NAME_CHANGE_MISSING", Grade.NOTICE, what, "Doc 9303-12 7.1.1.5")


def _lint_key_identifiers(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    named = certificate.extensions.authority_key_identifier
    own = certificate.extensions.subject_key_identifier
    if named is not None and named.key_identifier is None:
        yield Finding("KEY_IDENTIFIER", Grade.WARNING, "authorityKeyIdentifier has no keyIdentifier", _TABLE_6)
    elif kind is Kind.CSCA and None not in (named, own) and named is not None and named.key_identifier != own:
        yield Finding("KEY_IDENTIFIER", Grade.WARNING, "it names another key than its own as its issuer's", _TABLE_6)


def _lint_values(certificate: Certificate, kind: Kind) -> Iterator[Finding]:
    """Values of extensions that are read on request; those that cannot be read are the decoder's findings."""
    extensions = certificate.extensions
    try:
        period = extensions.private_key_usage_period([])
        points = extensions.crl_distribution_points([])
        names = (*extensions.subject_alternative_name([]), *extensions.issuer_alternative_name([]))
    except DecodeError:
        return
    if period is not None and period.not_before is None and period.not_after is None:
        yield Finding("USAGE_PERIOD_EMPTY", Grade.WARNING, "privateKeyUsagePeriod has neither end", _TABLE_6)
    elif period is not None and period.not_after is not None and period.not_after > certificate.not_after:
        what = "the private key is used for longer than the certificate is valid"
        yield Finding("USAGE_PERIOD_LONG", Grade.WARNING, what, "Doc 9303-12 4.1")
    schemes = {(name.text or "").split(":", 1)[0].lower() for point in points for name in point.full_name}
    if schemes - {"ldap", "http", "https"}:
        yield Finding("CRL_LOCATION", Grade.NOTICE, "a distribution point is not ldap, http or https", _TABLE_6)
    if names and not any(name.kind == GeneralNameKind.DIRECTORY_NAME for name in names):
        what = "no alternative name holds the country code of the MRZ"
        yield Finding("ALTERNATIVE_NAME", Grade.NOTICE, what, _ALTERNATIVE_NAMES)


# --- algorithms -------------------------------------------------------------------------------------------------------

_MINIMUM_RSA: Final = 2048  # bits
_MINIMUM_CURVE: Final = 224  # bits of the order


def _lint_algorithms(certificate: Certificate, key: PublicKey | None) -> Iterator[Finding]:
    try:
        algorithm = decode_signature_algorithm(certificate.signature_algorithm)
    except (DecodeError, VerificationError):
        dotted = certificate.signature_algorithm.oid
        yield Finding("SIGNATURE_ALGORITHM", Grade.ERROR, f"unknown signature algorithm {dotted}", "Doc 9303-12 4.1.6")
    else:
        if algorithm.hash_name == "sha1":
            yield Finding("SHA1", Grade.WARNING, "it is signed over a SHA-1", "Doc 9303-12 4.1.6.4")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _MINIMUM_RSA:
            yield Finding("SMALL_KEY", Grade.ERROR, f"RSA key of {key.key_size} bits", "Doc 9303-12 4.1.6.1")
        if key.public_numbers().e < 65537:
            yield Finding("SMALL_EXPONENT", Grade.NOTICE, "RSA exponent below 65537", "Doc 9303-12 4.1.6.1")
    elif key is not None:
        curve = curve_of_key(key)
        if curve.n.bit_length() < _MINIMUM_CURVE:
            yield Finding("SMALL_KEY", Grade.ERROR, f"key on {curve.name}", "Doc 9303-12 4.1.6.3")
        if curve.oid and _names_curve(certificate):
            what = "the domain parameters are named, not written out"
            yield Finding("NAMED_CURVE", Grade.NOTICE, what, "Doc 9303-12 4.1.6.3")


def _names_curve(certificate: Certificate) -> bool:
    """Whether the domain parameters are an object identifier (Doc 9303-12 4.1.6.3 wants them written out)."""
    spki = certificate.spki_raw
    try:
        start, stop = der.read_sequence(spki, "SubjectPublicKeyInfo")
        start, stop = der.enter(spki, start, stop, der.SEQUENCE, "algorithm")
        _, start = der.read_oid(spki, start, stop, "algorithm")
    except DecodeError:
        return False
    return spki[start : start + 1] == b"\x06"


Rule = Callable[[Certificate, Kind], Iterable[Finding]]
_RULES: Final[tuple[Rule, ...]] = (
    _lint_body,
    _lint_names,
    _lint_key_usage,
    _lint_basic_constraints,
    _lint_purposes,
    _lint_presence,
    _lint_criticality,
    _lint_link,
    _lint_key_identifiers,
    _lint_values,
)
