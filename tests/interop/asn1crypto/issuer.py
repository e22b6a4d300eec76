"""A country that has asn1crypto and the certificate builder of `cryptography`, and the habits of many. SPECIMEN."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from tests.interop.specimen_files import lds_security_object, tlv

LDS_SECURITY_OBJECT = "2.23.136.1.1.1"
NOT_BEFORE, NOT_AFTER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
HASHES = {name: getattr(hashes, name.upper()) for name in ("sha1", "sha224", "sha256", "sha384", "sha512")}
CURVES = {
    "P-224": ec.SECP224R1,
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
}
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Habits:
    """How this country writes its documents."""

    key: str = "P-256"  # "rsa", "pss" or a curve
    certificate_hash: str = "sha256"
    digest: str = "sha256"  # SignerInfo's digestAlgorithm
    signature_hash: str = "sha256"
    group_hash: str = "sha256"
    lds_version: int = 0
    null: bool = False  # parameters of hash algorithms
    salt_length: int = 32
    signing_time: bool = False
    by_key_identifier: bool = False
    printable: bool = False  # names in PrintableString
    printable_in_signer_info: bool | None = None  # None: as in the certificate
    bare_rsa: bool = False  # signatureAlgorithm rsaEncryption
    key_identifiers: bool = True
    country: str = "UT"
    attributes_reversed: bool = False
    parameters_with_ecdsa: bool = False
    content_type: str = LDS_SECURITY_OBJECT
    indefinite: bool = False
    with_csca: bool = False
    wrong_serial: bool = False
    basic_constraints: bool = True


@dataclass(frozen=True)
class Issuer:
    """The authority, its document signer, and what they make."""

    habits: Habits
    csca_key: Key = field(repr=False)
    ds_key: Key = field(repr=False)
    csca: x509.Certificate
    ds: x509.Certificate

    def sod(self) -> bytes:
        """EF.SOD over the specimen's data groups."""
        habits = self.habits
        content = lds_security_object(habits.group_hash, version=habits.lds_version, null=habits.null)
        attributes = self._attributes(content)
        encoded = b"".join(sorted(item.dump() for item in attributes))
        signature = _sign(self.ds_key, habits.signature_hash, tlv("31", encoded), habits)
        info = cms.SignerInfo(
            {
                "version": "v3" if habits.by_key_identifier else "v1",
                "sid": self._signer_identifier(),
                "digest_algorithm": _hash(habits.digest, habits.null),
                "signed_attrs": cms.CMSAttributes(attributes),
                "signature_algorithm": self._signature_algorithm(),
                "signature": signature,
            }
        )
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [_hash(habits.digest, habits.null)],
                "encap_content_info": {
                    "content_type": habits.content_type,
                    "content": core.ParsableOctetString(content),
                },
                "certificates": [asn1_x509.Certificate.load(raw) for raw in self._carried()],
                "signer_infos": [info],
            }
        )
        if habits.indefinite:
            return _indefinite(signed.dump())
        raw = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
        assert raw.count(encoded) == 1
        if habits.attributes_reversed:
            raw = raw.replace(encoded, b"".join(item.dump() for item in reversed(attributes)))
        return tlv("77", raw)

    def crl(self, *, revoking: bool) -> bytes:
        builder = x509.CertificateRevocationListBuilder(self.csca.subject, NOT_BEFORE, NOT_AFTER)
        builder = builder.add_extension(x509.CRLNumber(2 if revoking else 1), critical=False)
        if revoking:
            entry = x509.RevokedCertificateBuilder(self.ds.serial_number, NOT_BEFORE).build()
            builder = builder.add_revoked_certificate(entry)
        crl = builder.sign(
            self.csca_key, HASHES[self.habits.certificate_hash](), rsa_padding=_padding(self.csca_key, self.habits)
        )
        return crl.public_bytes(serialization.Encoding.DER)

    @property
    def csca_der(self) -> bytes:
        return self.csca.public_bytes(serialization.Encoding.DER)

    @property
    def ds_der(self) -> bytes:
        return self.ds.public_bytes(serialization.Encoding.DER)

    def _carried(self) -> tuple[bytes, ...]:
        return tuple(sorted((self.ds_der, self.csca_der))) if self.habits.with_csca else (self.ds_der,)

    def _attributes(self, content: bytes) -> list[cms.CMSAttribute]:
        habits = self.habits
        digest = hashlib.new(habits.digest, content).digest()
        attributes: list[tuple[str, Any]] = [("content_type", habits.content_type), ("message_digest", digest)]
        if habits.signing_time:
            attributes.append(("signing_time", cms.Time({"utc_time": core.UTCTime(NOT_BEFORE)})))
        made = [cms.CMSAttribute({"type": name, "values": [value]}) for name, value in attributes]
        return sorted(made, key=lambda item: bytes(item.dump()))

    def _signer_identifier(self) -> cms.SignerIdentifier:
        if self.habits.by_key_identifier:
            found = self.ds.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            return cms.SignerIdentifier({"subject_key_identifier": core.OctetString(found)})
        written = self.habits.printable_in_signer_info
        name = self.ds.issuer if written is None else _name("SPECIMEN CSCA", self.habits.country, written)
        return cms.SignerIdentifier(
            {
                "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                    {
                        "issuer": asn1_x509.Name.load(name.public_bytes()),
                        "serial_number": self.ds.serial_number + self.habits.wrong_serial,
                    }
                )
            }
        )

    def _signature_algorithm(self) -> dict[str, Any]:
        habits = self.habits
        if habits.key == "rsa":
            name = "rsassa_pkcs1v15" if habits.bare_rsa else f"{habits.signature_hash}_rsa"
            return {"algorithm": name, "parameters": core.Null()}
        if habits.key == "pss":
            parameters = algos.RSASSAPSSParams(
                {
                    "hash_algorithm": {"algorithm": habits.signature_hash},
                    "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": habits.signature_hash}},
                    "salt_length": habits.salt_length,
                }
            )
            return {"algorithm": "rsassa_pss", "parameters": parameters}
        algorithm: dict[str, Any] = {"algorithm": f"{habits.signature_hash}_ecdsa"}
        return {**algorithm, "parameters": core.Null()} if habits.parameters_with_ecdsa else algorithm


def build_issuer(habits: Habits) -> Issuer:
    """An issuer with fresh keys."""
    csca_key, ds_key = _make_key(habits), _make_key(habits)
    csca_name = _name("SPECIMEN CSCA", habits.country, habits.printable)
    ds_name = _name("SPECIMEN DS 1", habits.country, habits.printable)
    usage = dict.fromkeys(_USAGES, False)
    csca = _start(csca_name, csca_name, csca_key, 1)
    csca = csca.add_extension(x509.KeyUsage(**{**usage, "key_cert_sign": True, "crl_sign": True}), critical=True)
    if habits.basic_constraints:
        csca = csca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ds = _start(csca_name, ds_name, ds_key, 0x1234_5678_9ABC)
    ds = ds.add_extension(x509.KeyUsage(**{**usage, "digital_signature": True}), critical=True)
    if habits.key_identifiers:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(csca_key.public_key())
        csca = csca.add_extension(x509.SubjectKeyIdentifier.from_public_key(csca_key.public_key()), critical=False)
        ds = ds.add_extension(authority, critical=False)
        ds = ds.add_extension(x509.SubjectKeyIdentifier.from_public_key(ds_key.public_key()), critical=False)
    algorithm, pss = HASHES[habits.certificate_hash](), _padding(csca_key, habits)
    signed = [builder.sign(csca_key, algorithm, rsa_padding=pss) for builder in (csca, ds)]
    return Issuer(habits, csca_key, ds_key, *signed)


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _make_key(habits: Habits) -> Key:
    if habits.key in ("rsa", "pss"):
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(CURVES[habits.key]())


def _name(common_name: str, country: str, printable: bool) -> x509.Name:
    kind = _ASN1Type.PrintableString if printable else _ASN1Type.UTF8String
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country, _validate=False),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SPECIMEN", _type=kind),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name, _type=kind),
        ]
    )


def _start(issuer: x509.Name, subject: x509.Name, key: Key, serial: int) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(issuer, subject, key.public_key(), serial, NOT_BEFORE, NOT_AFTER)


def _padding(key: Key, habits: Habits) -> padding.PSS | padding.PKCS1v15 | None:
    if not isinstance(key, rsa.RSAPrivateKey):
        return None
    if habits.key == "rsa":
        return padding.PKCS1v15()
    algorithm = HASHES[habits.certificate_hash]()
    return padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)


def _sign(key: Key, hash_name: str, message: bytes, habits: Habits) -> bytes:
    algorithm = HASHES[hash_name]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(algorithm))
    if habits.key == "rsa":
        return key.sign(message, padding.PKCS1v15(), algorithm)
    return key.sign(message, padding.PSS(padding.MGF1(algorithm), habits.salt_length), algorithm)


def _hash(name: str, null: bool) -> dict[str, Any]:
    return {"algorithm": name, "parameters": core.Null()} if null else {"algorithm": name}


def _indefinite(signed_data: bytes) -> bytes:
    """EF.SOD { ContentInfo { oid, [0] { SignedData } } }, all four lengths indefinite, as some issuers write them."""
    end = b"\x00\x00"
    content = core.Sequence.load(signed_data).contents
    signed_data_type = core.ObjectIdentifier("1.2.840.113549.1.7.2").dump()
    return b"\x77\x80\x30\x80" + signed_data_type + b"\xa0\x80\x30\x80" + content + end * 4
