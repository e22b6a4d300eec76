"""An invented issuer for tests: CSCA, document signers, CRLs and EF.SOD files of any algorithm. SPECIMEN."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from eid.codec import cms, oid
from eid.codec import extension_builders as build
from eid.codec.algorithm import (
    AlgorithmIdentifier,
    digest_identifier,
    ecdsa_identifier,
    pss_identifier,
    rsa_identifier,
)
from eid.codec.crl import RevokedCertificate, encode_crl, encode_tbs_crl
from eid.codec.extensions import Extension, KeyUsage
from eid.codec.name import encode_name
from eid.codec.x509 import decode_certificate, encode_certificate, encode_tbs_certificate
from eid.crypto.public_key import encode_public_key
from eid.lds.sod import LdsVersion, build_lds_security_object, encode_ef_sod
from tests.builders.rsa_keys import rsa_private_key

HASHES = {name: getattr(hashes, name.upper()) for name in ("sha1", "sha224", "sha256", "sha384", "sha512")}
CURVES = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
}
CSCA_NAME = encode_name((("C", "UT"), ("O", "SPECIMEN"), ("CN", "SPECIMEN CSCA")))
DS_NAME = encode_name((("C", "UT"), ("O", "SPECIMEN"), ("OU", "Document signers"), ("CN", "SPECIMEN DS 1")))
NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2036, 6, 30, 12, 0, 0, tzinfo=UTC)
EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280 4.1.2.5: for what is judged by the machine's clock
SIGNING_TIME = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
DATA_GROUPS = (1, 2, 11, 12, 14, 15)


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and the way it signs: "ecdsa", "rsa-pkcs1" or "rsa-pss"."""

    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    hash_name: str
    pss: bool = False

    @property
    def algorithm(self) -> AlgorithmIdentifier:
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return ecdsa_identifier(self.hash_name)
        return pss_identifier(self.hash_name) if self.pss else rsa_identifier(self.hash_name)

    def sign(self, message: bytes) -> bytes:
        algorithm = HASHES[self.hash_name]()
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(message, ec.ECDSA(algorithm))
        if not self.pss:
            return self.private.sign(message, padding.PKCS1v15(), algorithm)
        return self.private.sign(message, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)

    def spki(self, explicit: bool = True) -> bytes:
        return encode_public_key(self.private.public_key(), explicit=explicit)

    def key_identifier(self, explicit: bool = True) -> bytes:
        return hashlib.sha1(self.spki(explicit)).digest()


def ec_key(curve: str = "P-256", hash_name: str = "sha256") -> Key:
    return Key(ec.generate_private_key(CURVES[curve]()), hash_name)


def rsa_key(bits: int = 2048, hash_name: str = "sha256", *, pss: bool = False) -> Key:
    return Key(rsa_private_key(bits), hash_name, pss)


def csca_extensions(key: Key, explicit: bool = True) -> tuple[Extension, ...]:
    identifier = key.key_identifier(explicit)
    return (
        build.subject_key_identifier(identifier),
        build.authority_key_identifier(identifier),
        build.key_usage(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN),
        build.basic_constraints(True, 0),
    )


def ds_extensions(csca: Key, key: Key, explicit: bool = True) -> tuple[Extension, ...]:
    place = build.directory_name(encode_name((("L", "UTO"),)))
    return (
        build.authority_key_identifier(csca.key_identifier(explicit)),
        build.subject_key_identifier(key.key_identifier(explicit)),
        build.private_key_usage_period(NOT_BEFORE, datetime(2026, 4, 1, tzinfo=UTC)),
        build.subject_alternative_name((place, build.email_name("csca@example.org"))),
        build.issuer_alternative_name((place, build.email_name("csca@example.org"))),
        build.document_type_list(("I", "ID")),
        build.key_usage(KeyUsage.DIGITAL_SIGNATURE),
        build.crl_distribution_points(("https://csca.example.org/ut.crl",)),
    )


def certificate(
    issuer_key: Key,
    key: Key,
    extensions: Sequence[Extension],
    *,
    issuer: bytes = CSCA_NAME,
    subject: bytes = DS_NAME,
    serial: int = 0x5A01_0203_0405_0607,
    explicit: bool = True,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
) -> bytes:
    tbs = encode_tbs_certificate(
        serial=serial,
        signature_algorithm=issuer_key.algorithm,
        issuer=issuer,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        spki=key.spki(explicit),
        extensions=extensions,
    )
    return encode_certificate(tbs, issuer_key.algorithm, issuer_key.sign(tbs))


def csca_certificate(key: Key, *, explicit: bool = True, serial: int = 1, not_after: datetime = NOT_AFTER) -> bytes:
    extensions = csca_extensions(key, explicit)
    return certificate(key, key, extensions, subject=CSCA_NAME, explicit=explicit, serial=serial, not_after=not_after)


def ds_certificate(
    csca: Key,
    key: Key,
    *,
    explicit: bool = True,
    serial: int = 0x5A01_0203_0405_0607,
    not_after: datetime = NOT_AFTER,
) -> bytes:
    extensions = ds_extensions(csca, key, explicit)
    return certificate(csca, key, extensions, explicit=explicit, serial=serial, not_after=not_after)


def crl(
    csca: Key,
    revoked: Sequence[RevokedCertificate] = (),
    number: int = 7,
    *,
    explicit: bool = True,
    issuer: bytes = CSCA_NAME,
    days: int | None = None,
) -> bytes:
    tbs = encode_tbs_crl(
        signature_algorithm=csca.algorithm,
        issuer=issuer,
        this_update=NOT_BEFORE,
        next_update=NOT_AFTER if days is None else NOT_BEFORE + timedelta(days=days),
        revoked=revoked,
        extensions=(build.authority_key_identifier(csca.key_identifier(explicit)), build.crl_number(number)),
    )
    return encode_crl(tbs, csca.algorithm, csca.sign(tbs))


def data_group_hashes(hash_name: str = "sha256") -> dict[int, bytes]:
    return {number: hashlib.new(hash_name, b"SPECIMEN DG%d" % number).digest() for number in DATA_GROUPS}


def signed_data(
    key: Key,
    certificate_raw: bytes,
    content: bytes,
    *,
    content_type: str = oid.LDS_SECURITY_OBJECT,
    by_key_identifier: bool = False,
    certificates: Sequence[bytes] | None = None,
    signing_time: datetime | None = SIGNING_TIME,
) -> bytes:
    signer = decode_certificate(certificate_raw)
    attributes = cms.encode_signed_attributes(content_type, hashlib.new(key.hash_name, content).digest(), signing_time)
    identifier = signer.extensions.subject_key_identifier
    assert identifier is not None
    info = cms.encode_signer_info(
        signer=identifier if by_key_identifier else (signer.issuer_raw, signer.serial),
        digest_algorithm=digest_identifier(key.hash_name),
        signed_attributes=attributes,
        signature_algorithm=key.algorithm,
        signature=key.sign(attributes),
    )
    return cms.encode_signed_data(
        content_type=content_type,
        content=content,
        digest_algorithm=digest_identifier(key.hash_name),
        certificates=(certificate_raw,) if certificates is None else certificates,
        signer_info=info,
    )


def ef_sod(
    key: Key,
    certificate_raw: bytes,
    hashes_by_number: Mapping[int, bytes] | None = None,
    *,
    hash_name: str = "sha256",
    lds_version: LdsVersion | None = None,
    by_key_identifier: bool = False,
    certificates: Sequence[bytes] | None = None,
) -> bytes:
    hashes_given = data_group_hashes(hash_name) if hashes_by_number is None else hashes_by_number
    content = build_lds_security_object(hash_name, hashes_given, lds_version)
    return encode_ef_sod(
        signed_data(key, certificate_raw, content, by_key_identifier=by_key_identifier, certificates=certificates)
    )
