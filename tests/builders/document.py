"""A consistent specimen document of Utopia: data groups, EF.SOD, trust store, evidence of a station. Nobody real."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from eid.codec.crl import RevokedCertificate
from eid.crypto.public_key import encode_public_key
from eid.errors import Reason
from eid.evidence import Evidence, Origin, ProtocolName, ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.evidence.codec import SignedEvidence, decode_signed_evidence, sign_evidence
from eid.lds.dg1 import build_dg1
from eid.lds.dg11 import DG11
from eid.lds.dg13 import DG13, StatusListReference
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
from eid.mrz import Mrz, MrzFormat
from eid.pki.status_token import verify_status_token
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.verification.policy import load_policy
from eid.verification.report import Outcome, VerificationReport
from eid.verification.status_lists import StatusLists
from eid.verification.verify import verify
from tests.builders import issuer
from tests.builders.status import StatusPublisher, status_publisher

DocumentKeys = tuple[issuer.Key, bytes]
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CHALLENGE = bytes.fromhex("0102030405060708")
ECDSA_PLAIN_SHA256 = "0.4.0.127.0.7.1.1.4.1.3"
STATUS = StatusListReference("https://status.example.org/1", 4711)
MRZ = Mrz(
    MrzFormat.TD1, "I", "UTO", "SPEC00001", "UTO", "850214", "F", "350601", "SPECIMEN", "ANNA MARIA", "", ""
)  # fmt: skip


def plain_signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """r || s over SHA-256."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def transcript(
    protocol: ProtocolName, outcome: ProtocolOutcome = ProtocolOutcome.SUCCEEDED, **messages: bytes
) -> ProtocolTranscript:
    return ProtocolTranscript(protocol, outcome, {}, messages)


PACE = ProtocolTranscript(
    ProtocolName.PACE, ProtocolOutcome.SUCCEEDED, {"oid": f"{ID_PACE_ECDH_GM}.2", "parameter_id": "13"}
)
"""As DG14 of a `Document` announces it."""


@dataclass(frozen=True)
class Document:
    """A document and all the keys around it."""

    csca: issuer.Key
    signer: issuer.Key
    csca_certificate: bytes
    signer_certificate: bytes
    active_key: ec.EllipticCurvePrivateKey
    chip_key: ec.EllipticCurvePrivateKey
    station: ec.EllipticCurvePrivateKey
    files: dict[str, bytes] = field(default_factory=dict)

    def trust(self, *, crls: Sequence[bytes] | None = None, with_csca: bool = True) -> TrustStore:
        lists = (issuer.crl(self.csca),) if crls is None else crls
        return build_trust_store((self.csca_certificate,) if with_csca else (), lists)

    def revoking_crl(self, serial: int = 0x5A01_0203_0405_0607, number: int = 8) -> bytes:
        return issuer.crl(self.csca, [RevokedCertificate(serial, issuer.NOT_BEFORE, 1)], number)

    def with_files(self, **changed: bytes) -> Document:
        """The same with some files replaced, EF.SOD as it was."""
        return replace(self, files={**self.files, **{name.replace("_", "."): raw for name, raw in changed.items()}})

    def resigned(self, **changed: bytes) -> Document:
        """The same with some data groups replaced and EF.SOD made anew."""
        return build_files(self.with_files(**changed))

    def active_transcript(
        self, challenge: bytes = CHALLENGE, key: ec.EllipticCurvePrivateKey | None = None
    ) -> ProtocolTranscript:
        signature = plain_signature(key or self.active_key, challenge)
        return transcript(ProtocolName.ACTIVE_AUTHENTICATION, challenge=challenge, signature=signature)

    def chip_transcript(self) -> ProtocolTranscript:
        info = encode_public_key(self.chip_key.public_key(), explicit=True)
        return transcript(ProtocolName.CHIP_AUTHENTICATION, chip_public_key=info)

    def evidence(
        self,
        *,
        transcripts: Sequence[ProtocolTranscript] | None = None,
        origin: Origin = Origin.STATION,
        challenge: bytes | None = CHALLENGE,
        without: Sequence[str] = (),
    ) -> Evidence:
        files = tuple(ReadFile(name, raw) for name, raw in self.files.items() if name not in without)
        ran = (PACE, self.chip_transcript(), self.active_transcript())
        return Evidence(
            origin, NOW, challenge, "test reader", "all", files, tuple(ran if transcripts is None else transcripts)
        )

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(encode_public_key(self.station.public_key())).digest()

    def envelope(self, evidence: Evidence) -> SignedEvidence:
        def sign(message: bytes) -> bytes:
            return self.station.sign(message, ec.ECDSA(hashes.SHA256()))

        return decode_signed_evidence(sign_evidence(evidence, sign, self.key_id))


def build_document(
    curve: str = "P-256", csca_curve: str = "P-384", mrz: Mrz = MRZ, not_after: datetime = issuer.NOT_AFTER
) -> Document:
    """A whole document with fresh keys. not_after: of its certificates."""
    csca = issuer.ec_key(csca_curve, "sha384")
    signer = issuer.ec_key(curve, "sha256")
    document = Document(
        csca,
        signer,
        issuer.csca_certificate(csca, not_after=not_after),
        issuer.ds_certificate(csca, signer, not_after=not_after),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    chip_info = encode_public_key(document.chip_key.public_key(), explicit=True)
    files = {
        "DG1": build_dg1(mrz).encode(),
        "DG2": b"\x75\x02\x04\x00",
        "DG11": DG11(full_date_of_birth="19850214").encode(),
        "DG13": DG13(status_list=STATUS).encode(),
        "DG14": DG14(
            (
                PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 13),
                ChipAuthenticationInfo(f"{ID_CA_ECDH}.2", 1, 1),
                ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, chip_info, 1),
                ActiveAuthenticationInfo(ECDSA_PLAIN_SHA256),
            )
        ).encode(),
        "DG15": DG15(encode_public_key(document.active_key.public_key())).encode(),
    }
    return build_files(replace(document, files=files))


@cache
def status_signer(document: DocumentKeys) -> StatusPublisher:
    """A signer of status lists below the document's CSCA."""
    return status_publisher(csca_key=document[0], csca=document[1], not_after=issuer.EVER)


def status_lists(document: Document, statuses: Iterable[tuple[int, int]] = (), **changed: object) -> StatusLists:
    """The list in which the document stands, as its state published it; `changed` are claims."""
    owner = status_signer((document.csca, document.csca_certificate))
    raw = owner.sign(statuses, **changed)
    return StatusLists.of([verify_status_token(raw, document.trust(crls=()), now=NOW)])


def build_files(document: Document) -> Document:
    """The same document with EF.SOD made for its data groups."""
    groups = {name: raw for name, raw in document.files.items() if name.startswith("DG")}
    digests = {int(name[2:]): hashlib.sha256(raw).digest() for name, raw in groups.items()}
    sod = issuer.ef_sod(document.signer, document.signer_certificate, digests)
    return replace(document, files={**groups, "EF.SOD": sod})


def judge(
    document: Document, evidence: Evidence | None = None, policy: str = "strict", **given: object
) -> VerificationReport:
    """Verify as a service would that knows the document's station and issued `CHALLENGE`."""
    taken = document.evidence() if evidence is None else evidence
    settings = dict(given)
    trust = settings.pop("trust", None) or document.trust()
    if "envelope" not in settings and taken.origin is Origin.STATION:
        settings["envelope"] = document.envelope(taken)
    if load_policy(policy).required & {"document.status"} and "status_lists" not in settings:
        settings["status_lists"] = status_lists(document)
    defaults = {
        "time": NOW,
        "expected_challenge": CHALLENGE,
        "stations": {document.key_id: document.station.public_key()},
    }
    return verify(taken, trust, load_policy(policy), **{**defaults, **settings})  # type: ignore[arg-type]  # by name, as the caller has them


def outcome(report: VerificationReport, check_id: str) -> tuple[Outcome, Reason | None]:
    result = report.check(check_id)
    assert result is not None, check_id
    return result.outcome, result.reason


def failed(report: VerificationReport) -> dict[str, Reason | None]:
    """The failing checks and their reasons: what an attack is to be caught by, and nothing else."""
    return {item.id: item.reason for item in report.failures}
