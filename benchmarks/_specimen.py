"""An invented issuer and its documents, built by the product's own builders. SPECIMEN; nobody real."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eid.crypto.curves import curve_by_name
from eid.crypto.hashes import digest
from eid.crypto.public_key import encode_public_key
from eid.crypto.signatures import SignatureAlgorithm
from eid.evidence import Evidence, Origin, ReadFile
from eid.keystore.software import PrivateKey, SoftwareSigner
from eid.lds.dg1 import build_dg1
from eid.lds.dg2 import build_dg2
from eid.lds.dg11 import DG11
from eid.lds.dg12 import DG12
from eid.lds.dg14 import DG14
from eid.lds.dg15 import DG15
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PACE_ECDH_GM,
    ID_PK_ECDH,
    ActiveAuthenticationInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
)
from eid.lds.sod import build_lds_security_object
from eid.mrz import MrzFormat, build_mrz
from eid.pki.certificate_profile import IssuingState, Validity
from eid.pki.crl import build_crl
from eid.pki.csca import build_csca_certificate
from eid.pki.document_signer import SodSigner, build_document_signer_certificate, prepare_sod_signer
from eid.pki.trust_store import TrustStore, build_trust_store

NOW = datetime.now(UTC).replace(microsecond=0)  # the API, which is measured too, has no other clock
_START = NOW - timedelta(days=30)
_LONG = Validity(_START, _START + timedelta(days=11 * 365))
_SHORT = Validity(_START, _START + timedelta(days=90))
_STATE = IssuingState("UT", "SPECIMEN", "csca@example.org", ("https://csca.example.org/ut.crl",))


def private_key(name: str) -> PrivateKey:
    """A fresh key: "RSA-2048", or on the curve of that name."""
    if name.startswith("RSA-"):
        return rsa.generate_private_key(65537, int(name[4:]))
    curve = curve_by_name(name)
    if curve is None or curve.library is None:
        raise SystemExit(f"no curve {name}")
    return ec.generate_private_key(curve.library)


def signer(label: str, key_name: str, hash_name: str = "sha256") -> SoftwareSigner:
    """A software key that signs ECDSA or RSA PKCS#1 v1.5."""
    algorithm = SignatureAlgorithm("rsa-pkcs1" if key_name.startswith("RSA-") else "ecdsa", hash_name)
    return SoftwareSigner(label, private_key(key_name), algorithm)


@dataclass(frozen=True)
class Issuer:
    """A CSCA with its CRL, and a document signer below it."""

    csca: SoftwareSigner
    document_signer: SoftwareSigner
    csca_certificate: bytes
    certificate: bytes

    @cached_property
    def sod_signer(self) -> SodSigner:
        """The document signer, ready to sign."""
        return prepare_sod_signer(self.document_signer, self.certificate)

    def renew(self) -> Issuer:
        """The same keys with a certificate of the document signer that nobody has seen."""
        return Issuer(
            self.csca,
            self.document_signer,
            self.csca_certificate,
            _certify(self.csca, self.csca_certificate, self.document_signer),
        )

    def sign(self, lds_security_object: bytes) -> bytes:
        """EF.SOD."""
        return self.sod_signer.sign(lds_security_object, NOW)

    def trust(self) -> TrustStore:
        """A trust store with the CSCA and its CRL, which revokes nobody."""
        crl = build_crl(self.csca, self.csca_certificate, number=1, this_update=_START, next_update=_SHORT.not_after)
        return build_trust_store((self.csca_certificate,), (crl,))


def build_issuer(key_name: str) -> Issuer:
    """CSCA and document signer with keys of one kind; EC parameters explicit, as Doc 9303-12 4.1.6.3 demands."""
    csca, document_signer = signer("csca", key_name), signer("ds", key_name)
    certificate = build_csca_certificate(csca, _STATE, "SPECIMEN CSCA", _LONG, _SHORT)
    return Issuer(csca, document_signer, certificate, _certify(csca, certificate, document_signer))


def _certify(csca: SoftwareSigner, csca_certificate: bytes, document_signer: SoftwareSigner) -> bytes:
    return build_document_signer_certificate(
        csca, csca_certificate, document_signer.public_key_info, _STATE, "SPECIMEN DS 1", _LONG, _SHORT,
        document_types=("I",),
    )  # fmt: skip


def data_groups(portrait_octets: int = 20_000) -> dict[str, bytes]:
    """Six data groups of an identity card; the portrait is noise of that length behind a JPEG 2000 signature."""
    mrz = build_mrz(
        MrzFormat.TD1,
        document_code="I",
        issuing_state="UTO",
        document_number="SPEC00001",
        nationality="UTO",
        date_of_birth="850214",
        sex="F",
        date_of_expiry="350601",
        family_name="Specimen",
        given_names="Anna Maria",
        optional_data_1="SPECIMEN",
    )
    chip_key = encode_public_key(private_key("brainpoolP256r1").public_key(), explicit=True)
    active_key = encode_public_key(private_key("P-256").public_key())
    details = DG11(
        full_name="SPECIMEN<<ANNA<MARIA",
        personal_number="SPECIMEN",
        full_date_of_birth="19850214",
        place_of_birth=("UTOPIA CITY", "UTOPIA"),
        permanent_address=("1 SPECIMEN STREET", "UTOPIA CITY", "UTOPIA"),
    )
    security = DG14(
        (
            PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 13),
            ChipAuthenticationInfo(f"{ID_CA_ECDH}.2", 1, 1),
            ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, chip_key, 1),
            ActiveAuthenticationInfo("0.4.0.127.0.7.1.1.4.1.3"),
        )
    )
    portrait = bytes.fromhex("FF4FFF51") + random.Random(9303).randbytes(portrait_octets - 4)
    return {
        "DG1": build_dg1(mrz).encode(),
        "DG2": build_dg2(portrait, 413, 531).encode(),
        "DG11": details.encode(),
        "DG12": DG12(issuing_authority="SPECIMEN", date_of_issue="20260501").encode(),
        "DG14": security.encode(),
        "DG15": DG15(active_key).encode(),
    }


def lds_security_object(groups: dict[str, bytes], hash_name: str = "sha256") -> bytes:
    """DER of the LDS security object over these data groups."""
    return build_lds_security_object(hash_name, {int(name[2:]): digest(hash_name, raw) for name, raw in groups.items()})


def evidence(groups: dict[str, bytes], ef_sod: bytes) -> Evidence:
    """What somebody sent in: files alone, no protocol was run."""
    files = (*(ReadFile(name, raw) for name, raw in groups.items()), ReadFile("EF.SOD", ef_sod))
    return Evidence(Origin.UPLOAD, NOW, None, "", "", files)
