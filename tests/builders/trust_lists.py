"""Invented publishers of signed lists, and a corpus of certificates with the defects of published ones. SPECIMEN."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from eid.codec import cms, der, oid
from eid.codec import extension_builders as build
from eid.codec.algorithm import AlgorithmIdentifier, digest_identifier, ecdsa_identifier
from eid.codec.extensions import Extension, KeyUsage
from eid.codec.name import encode_name
from eid.codec.spki import EcParameters, encode_ec_spki, encode_rsa_spki
from eid.codec.x509 import decode_certificate, encode_certificate
from eid.crypto.curves import CURVES, Curve
from eid.crypto.key_agreement import EcKeyPair
from eid.crypto.public_key import explicit_parameters
from eid.pki.master_list import encode_master_list
from tests.builders import issuer as made

SIGNED_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SIGNING = (oid.CSCA_MASTER_LIST_SIGNING_KEY,)


# --- publishers


def state_name(country: str, common_name: str = "SPECIMEN CSCA") -> bytes:
    return encode_name((("C", country), ("O", "SPECIMEN"), ("CN", common_name)))


def state_csca(key: made.Key, country: str, **options: Any) -> bytes:
    """A self-signed CSCA certificate of a country."""
    name = state_name(country)
    extensions = options.pop("extensions", made.csca_extensions(key))
    return made.certificate(key, key, extensions, issuer=name, subject=name, **{"serial": 1, **options})


@dataclass(frozen=True)
class Publisher:
    """A state that signs lists: its CSCA, and a signer below it."""

    country: str
    csca_key: made.Key
    csca: bytes
    key: made.Key
    certificate: bytes

    def sign(self, content: bytes, **options: Any) -> bytes:
        """A CMS over a content: of a master list unless `content_type` says otherwise."""
        given = {"content_type": oid.CSCA_MASTER_LIST, "certificates": (self.certificate, self.csca), **options}
        given.setdefault("signing_time", SIGNED_AT)
        return made.signed_data(self.key, self.certificate, content, **given)

    def master_list(self, items: Iterable[bytes], **options: Any) -> bytes:
        return self.sign(encode_master_list(items), **options)


def publisher(
    country: str = "UT",
    *,
    key: made.Key | None = None,
    purposes: Sequence[str] | None = SIGNING,
    extensions: Sequence[Extension] = (),
    **options: Any,
) -> Publisher:
    """A publisher with keys of its own; `options` go to the signer's certificate."""
    csca_key = options.pop("csca_key", None) or made.ec_key()
    key = key or made.ec_key()
    csca = options.pop("csca", None) or state_csca(csca_key, country)
    own = (
        build.authority_key_identifier(csca_key.key_identifier()),
        build.subject_key_identifier(key.key_identifier()),
        build.key_usage(KeyUsage.DIGITAL_SIGNATURE),
        *((build.extended_key_usage(purposes),) if purposes is not None else ()),
        *extensions,
    )
    certificate = made.certificate(
        csca_key, key, own, issuer=state_name(country), subject=state_name(country, "SPECIMEN list signer"), **options
    )
    return Publisher(country, csca_key, csca, key, certificate)


def sign_reordered(owner: Publisher, content: bytes, *, over_stored: bool) -> bytes:
    """A master list whose signed attributes stand out of order; signed over the DER, or over what stands there."""
    digest = hashlib.new(owner.key.hash_name, content).digest()
    ordered = cms.encode_signed_attributes(oid.CSCA_MASTER_LIST, digest, SIGNED_AT)
    start, stop = der.enter(ordered, 0, len(ordered), der.SET, "attributes")
    parts = [ordered[at:behind] for at, _, _, behind in der.split(ordered, start, stop, "attribute")]
    stored = der.encode(der.SET, b"".join(reversed(parts)))
    assert stored != ordered
    return _assemble(owner, content, stored, owner.key.sign(stored if over_stored else ordered))


def sign_without_null(owner: Publisher, content: bytes) -> bytes:
    """A master list signed with RSA PKCS#1 v1.5 whose DigestInfo has no parameters (RFC 8017 B.1)."""
    assert isinstance(owner.key.private, rsa.RSAPrivateKey)
    attributes = cms.encode_signed_attributes(oid.CSCA_MASTER_LIST, hashlib.sha256(content).digest(), SIGNED_AT)
    info = der.encode_sequence(
        der.encode_sequence(der.encode_oid(oid.SHA256)), der.encode_octet_string(hashlib.sha256(attributes).digest())
    )
    numbers = owner.key.private.private_numbers()
    size = owner.key.private.key_size // 8
    padded = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    value = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n)
    return _assemble(owner, content, attributes, value.to_bytes(size, "big"))


def _assemble(owner: Publisher, content: bytes, attributes: bytes, signature: bytes) -> bytes:
    signer = decode_certificate(owner.certificate)
    info = cms.encode_signer_info(
        signer=(signer.issuer_raw, signer.serial),
        digest_algorithm=digest_identifier(owner.key.hash_name),
        signed_attributes=attributes,
        signature_algorithm=owner.key.algorithm,
        signature=signature,
    )
    return cms.encode_signed_data(
        content_type=oid.CSCA_MASTER_LIST,
        content=content,
        digest_algorithm=digest_identifier(owner.key.hash_name),
        certificates=(owner.certificate, owner.csca),
        signer_info=info,
    )


# --- LDIF


def ldif_entry(dn: str, attribute: str, value: bytes, *, width: int = 76, end: str = "\n") -> str:
    """One entry with a value in base64, folded after `width` characters; 0 for no folding."""
    line = f"{attribute}:: {base64.b64encode(value).decode()}"
    if width:
        line = (end + " ").join(line[at : at + width] for at in range(0, len(line), width))
    return end.join((f"dn: {dn}", line, "objectClass: pkdDownload", "", ""))


def ldif(entries: Iterable[tuple[str, bytes]], **options: Any) -> str:
    """An LDIF file with one entry for each attribute type and value."""
    parts = (
        ldif_entry(f"cn={number},o=x,c=UT,dc=data,dc=download,dc=pkd,dc=icao,dc=int", name, value, **options)
        for number, (name, value) in enumerate(entries)
    )
    return f"version: 1{options.get('end', chr(10))}{options.get('end', chr(10))}" + "".join(parts)


# --- the corpus: certificates as they are published


@dataclass(frozen=True)
class Case:
    """One certificate. codes: findings that it must have, each with its grade; usable: whether it must be."""

    name: str
    raw: bytes
    codes: tuple[tuple[str, str], ...] = ()
    usable: bool = True
    kind: str = "CSCA"


@dataclass(frozen=True)
class CurveKey:
    """A key on any curve, those that the library lacks too; it signs with plain integers."""

    curve: Curve
    pair: EcKeyPair
    hash_name: str = "sha256"

    @property
    def algorithm(self) -> AlgorithmIdentifier:
        return ecdsa_identifier(self.hash_name)

    def spki(self, explicit: bool = True) -> bytes:
        parameters = explicit_parameters(self.curve) if explicit else self.curve.oid
        return encode_ec_spki(parameters, self.pair.encoded_public)

    def key_identifier(self, explicit: bool = True) -> bytes:
        return hashlib.sha1(self.spki(explicit)).digest()


@cache
def _keys() -> dict[str, made.Key]:
    """Keys that many certificates share: making one for each would take longer than all that is tested."""
    return {
        "P-256": made.ec_key(),
        "P-384": made.ec_key("P-384", "sha384"),
        "P-521": made.ec_key("P-521", "sha512"),
        "brainpoolP256r1": made.ec_key("brainpoolP256r1"),
        "brainpoolP384r1": made.ec_key("brainpoolP384r1", "sha384"),
        "brainpoolP512r1": made.ec_key("brainpoolP512r1", "sha512"),
        "RSA": made.rsa_key(2048),
        "RSA-PSS": made.rsa_key(2048, pss=True),
    }


def tbs(
    key: Any,
    *,
    version: bytes = bytes.fromhex("a003020102"),
    serial: bytes = b"\x02\x01\x05",
    algorithm: bytes | None = None,
    issuer: bytes | None = None,
    subject: bytes | None = None,
    validity: bytes | None = None,
    spki: bytes | None = None,
    identifiers: bytes = b"",
    extensions: Sequence[bytes] | None = None,
    country: str = "UT",
) -> bytes:
    """A TBSCertificate of which every part can be given by hand."""
    items = [item.encode() for item in made.csca_extensions(key)] if extensions is None else extensions
    tail = der.encode_explicit(3, der.encode_sequence(*items)) if items else b""
    return der.encode_sequence(
        version,
        serial,
        key.algorithm.encode() if algorithm is None else algorithm,
        state_name(country) if issuer is None else issuer,
        validity or der.encode_sequence(der.encode_time(made.NOT_BEFORE), der.encode_time(made.NOT_AFTER)),
        state_name(country) if subject is None else subject,
        key.spki() if spki is None else spki,
        identifiers,
        tail,
    )


def signed(key: made.Key, body: bytes, algorithm: bytes | None = None) -> bytes:
    """The certificate of a TBSCertificate; the outer algorithm is the inner one unless it is given."""
    if algorithm is None:
        return encode_certificate(body, key.algorithm, key.sign(body))
    return der.encode_sequence(body, algorithm, der.encode_bit_string(key.sign(body)))


def _without(key: made.Key, *dotted: str) -> list[bytes]:
    return [item.encode() for item in made.csca_extensions(key) if item.oid not in dotted]


def _with(key: made.Key, *items: Extension) -> list[bytes]:
    return [*_without(key, *(item.oid for item in items)), *(item.encode() for item in items)]


def defective(key: made.Key | None = None, country: str = "UT") -> Iterator[Case]:
    """One certificate for each defect of published ones."""
    key = key or _keys()["P-256"]

    def case(name: str, *codes: tuple[str, str], usable: bool = True, kind: str = "CSCA", **parts: Any) -> Case:
        outer = parts.get("algorithm")
        return Case(name, signed(key, tbs(key, country=country, **parts), outer), codes, usable, kind)

    yield case("negative serial", ("SERIAL_NOT_POSITIVE", "WARNING"), serial=b"\x02\x01\xfb")
    yield case("serial of zero", ("SERIAL_NOT_POSITIVE", "WARNING"), serial=b"\x02\x01\x00")
    yield case("serial too long", ("SERIAL_TOO_LONG", "WARNING"), serial=der.encode_integer(1 << 170))
    yield case("serial not minimal", ("SERIAL_NOT_MINIMAL", "NOTICE"), serial=b"\x02\x02\x00\x05")
    lower = state_name(country.lower())
    yield case("country in lower case", ("COUNTRY_CASE", "NOTICE"), issuer=lower, subject=lower)
    other = state_name("XX")
    yield case("countries differ", ("COUNTRY_MISMATCH", "ERROR"), issuer=other, kind="LINK")
    unnamed = encode_name((("O", "SPECIMEN"), ("CN", "SPECIMEN")))
    yield case("no country", ("COUNTRY_MISSING", "ERROR"), issuer=unnamed, subject=unnamed)
    bmp = state_name(country).replace(b"\x0c\x08SPECIMEN", b"\x1e\x08" + "SPEC".encode("utf-16-be"))
    yield case("BMPString", ("NAME_STRING_TYPE", "NOTICE"), issuer=bmp, subject=bmp)
    bad = state_name(country).replace(b"SPECIMEN", b"SPECI\xff\xfeN", 1)
    yield case("malformed name", ("MALFORMED_NAME", "NOTICE"), issuer=bad, subject=bad)
    for dotted, code, grade in (
        (oid.BASIC_CONSTRAINTS, "BASIC_CONSTRAINTS_MISSING", "ERROR"),
        (oid.KEY_USAGE, "KEY_USAGE_MISSING", "ERROR"),
        (oid.SUBJECT_KEY_IDENTIFIER, "EXTENSION_MISSING", "WARNING"),
    ):
        yield case(f"without {code}", (code, grade), extensions=_without(key, dotted))
    yield case("no extensions", ("BASIC_CONSTRAINTS_MISSING", "ERROR"), extensions=())
    yield case("path length 3", ("PATH_LENGTH", "WARNING"), extensions=_with(key, build.basic_constraints(True, 3)))
    yield case("no path length", ("PATH_LENGTH", "WARNING"), extensions=_with(key, build.basic_constraints(True)))
    odd = build.key_usage(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN | KeyUsage.DIGITAL_SIGNATURE)
    yield case("odd key usage", ("KEY_USAGE_EXCESS", "WARNING"), extensions=_with(key, odd))
    padded = Extension(oid.KEY_USAGE, True, bytes.fromhex("03020006"))
    yield case("key usage with zero bits", ("NAMED_BITS", "NOTICE"), extensions=_with(key, padded))
    soft = replace(build.basic_constraints(True, 0), critical=False)
    yield case("constraints not critical", ("NOT_CRITICAL", "NOTICE"), extensions=_with(key, soft))
    private = Extension("1.2.3.4.5", True, b"\x05\x00")
    yield case("unknown critical", ("CRITICAL", "ERROR"), extensions=_with(key, private))
    broken = Extension(oid.PRIVATE_KEY_USAGE_PERIOD, False, b"\x04\x01\x00")
    yield case("malformed extension", ("MALFORMED_EXTENSION", "ERROR"), extensions=_with(key, broken))
    twice = [*_without(key), build.basic_constraints(True, 0).encode()]
    yield case("extension twice", ("DUPLICATE_EXTENSION", "ERROR"), extensions=twice)
    written = [
        item.replace(b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x0e\x01\x01\x00").replace(b"\x30\x1d", b"\x30\x20", 1)
        if b"\x55\x1d\x0e" in item
        else item
        for item in _without(key)
    ]
    yield case("FALSE written out", ("ENCODED_DEFAULT", "NOTICE"), extensions=written)
    null = der.encode_sequence(der.encode_oid(oid.ECDSA_WITH_SHA256), b"\x05\x00")
    yield case("ECDSA with NULL", ("ALGORITHM_PARAMETERS", "NOTICE"), algorithm=null)
    extra = der.encode_sequence(der.encode_oid(oid.ECDSA_WITH_SHA256), b"\x05\x00", b"\x05\x00")
    yield case("extra data in the algorithm", ("ALGORITHM_PARAMETERS", "NOTICE"), algorithm=extra)
    raw = signed(key, tbs(key, country=country), null)
    yield Case("algorithms differ", raw, (("SIGNATURE_ALGORITHM_MISMATCH", "ERROR"),))
    early = der.encode_sequence(der.encode(der.GENERALIZED_TIME, b"20260101000000Z"), der.encode_time(made.NOT_AFTER))
    yield case("GeneralizedTime before 2050", ("TIME_FORM", "NOTICE"), validity=early)
    backwards = der.encode_sequence(der.encode_time(made.NOT_AFTER), der.encode_time(made.NOT_BEFORE))
    yield case("ends before it begins", ("VALIDITY", "ERROR"), validity=backwards)
    yield case("version 1", ("VERSION", "WARNING"), version=b"", extensions=())
    yield case("version 1 with extensions", ("CERTIFICATE_VERSION", "WARNING"), version=b"")
    yield case("unique identifier", ("UNIQUE_IDENTIFIER", "WARNING"), identifiers=bytes.fromhex("810200ff"))
    plain = tbs(key, country=country)
    content = signed(key, plain)[4:]
    ber = b"\x30\x84" + len(content).to_bytes(4, "big") + content
    yield Case("lengths not minimal", ber, (("NOT_DER", "WARNING"),))
    indefinite = b"\x30\x80" + content + b"\x00\x00"
    yield Case("indefinite length", indefinite, (("NOT_DER", "WARNING"),))
    yield Case("named curve", state_csca(key, country, explicit=False), (("NAMED_CURVE", "NOTICE"),))
    old = replace(key, hash_name="sha1")
    yield Case("SHA-1", signed(old, tbs(old, country=country)), (("SHA1", "WARNING"),))
    # What nothing can be done with is kept all the same, with its reason
    curve = next(item for item in CURVES if item.name == "P-256")
    generator = bytes.fromhex("04") + key.spki()[-64:]  # CVE-2020-0601: the public point as the base point
    own = replace_parameters(curve, generator=generator)
    yield case("base point of its own", ("UNUSABLE", "ERROR"), usable=False, spki=encode_ec_spki(own, key.spki()[-65:]))
    yield case("RSA with e=1", ("UNUSABLE", "ERROR"), usable=False, spki=encode_rsa_spki((1 << 2047) + 1, 1))
    binary = key.spki().replace(bytes.fromhex("06072a8648ce3d0101"), bytes.fromhex("06072a8648ce3d0102"))
    yield case("binary field", ("UNUSABLE", "ERROR"), usable=False, spki=binary)
    garbage = der.encode_sequence(b"\x04\x20" + bytes(32))
    yield Case("no certificate at all", garbage, (("UNREADABLE", "ERROR"),), usable=False, kind="OTHER")
    cut = der.encode(der.SEQUENCE, content[:-40])
    yield Case("a certificate cut off", cut, (("UNREADABLE", "ERROR"),), usable=False, kind="OTHER")
    stranger = made.ec_key()
    unrelated = made.certificate(
        stranger, key, made.csca_extensions(key), issuer=state_name(country, "gone"), subject=state_name(country)
    )
    yield Case("a link without issuer", unrelated, (("NAME_CHANGE_MISSING", "NOTICE"),), kind="LINK")
    forged = made.certificate(
        stranger, key, made.csca_extensions(key), issuer=state_name(country), subject=state_name(country)
    )
    yield Case("a root that another key signed", forged, (("NOT_SELF_SIGNED", "ERROR"),), kind="LINK")


def replace_parameters(curve: Curve, **changed: Any) -> EcParameters:
    return replace(explicit_parameters(curve), **changed)


COUNTRIES = ("AT", "BE", "CH", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HU", "IE", "IT", "JP", "MA", "NL", "PT")


def sound(count: int) -> Iterator[bytes]:
    """CSCA certificates that keep to the profile but for the extensions that the builder leaves out."""
    keys = list(_keys().values())
    for number in range(count):
        yield state_csca(keys[number % len(keys)], COUNTRIES[number % len(COUNTRIES)], serial=1000 + number)


def same_key_twice(country: str = "MA") -> tuple[bytes, bytes]:
    """Two CSCA certificates of one name and key, of different validity."""
    key = _keys()["brainpoolP256r1"]
    later = {"not_before": made.NOT_BEFORE + timedelta(days=365), "serial": 2}
    return state_csca(key, country), state_csca(key, country, **later)


def corpus(count: int) -> Iterator[Case]:
    """Certificates by the hundreds: every defect first, then sound ones."""
    cases = list(defective())
    yield from cases
    for number, raw in enumerate(sound(max(0, count - len(cases)))):
        yield Case(f"sound {number}", raw)
