"""A specimen card as a known station has read it, for judging: the evidence may be changed before the station signs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from eid.crypto.signatures import SignatureAlgorithm
from eid.evidence import Evidence, ProtocolName, ProtocolTranscript, ReadFile
from eid.evidence.codec import decode_signed_evidence, sign_evidence
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.keystore.software import SoftwareSigner
from eid.pki.trust_store import TrustStore
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.testing.specimen import SpecimenCard, issue_specimen
from eid.verification.policy import load_policy
from eid.verification.report import VerificationReport
from eid.verification.verify import verify

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CHALLENGE = bytes(range(8))
STATION = SoftwareSigner("station", ec.generate_private_key(ec.SECP256R1()), SignatureAlgorithm("ecdsa", "sha256"))
STATION_ID = hashlib.sha256(STATION.public_key_info).digest()


@cache
def _issued(profile: str, number: int) -> SpecimenCard:
    del number
    return issue_specimen(profile, NOW)


def specimen(profile: str, number: int = 1) -> SpecimenCard:
    """Specimen `number` of a product: each has an authority and keys of its own, and is issued once."""
    return _issued(profile, number).copy()


def can_of(card: SpecimenCard) -> Password:
    return Password(PasswordId.CAN, card.can.encode())


def gather(card: SpecimenCard, plan: InspectionPlan | None = None) -> Evidence:
    """Read it with its CAN, or as the plan says."""
    made = plan or InspectionPlan(can_of(card), challenge=CHALLENGE, max_response=card.profile.chip.max_response_data)
    return drive(inspect(made, NOW), card.connect())


@dataclass(frozen=True)
class Station:
    """A verifier that knows one station."""

    trust: TrustStore
    policy: str = "strict"

    def judge(self, evidence: Evidence, *, signed: bool = True, known: bool = True) -> VerificationReport:
        from eid.crypto.public_key import load_public_key

        envelope = decode_signed_evidence(sign_evidence(evidence, STATION.sign, STATION_ID)) if signed else None
        return verify(
            evidence,
            self.trust,
            load_policy(self.policy),
            time=NOW,
            expected_challenge=evidence.challenge,
            envelope=envelope,
            stations={STATION_ID: load_public_key(STATION.public_key_info)} if known else {},
        )


def with_file(evidence: Evidence, name: str, content: bytes | None) -> Evidence:
    files = tuple(ReadFile(name, content) if item.name == name else item for item in evidence.files)
    return replace(evidence, files=files)


def with_transcript(
    evidence: Evidence, protocol: ProtocolName, change: Callable[[ProtocolTranscript], ProtocolTranscript]
) -> Evidence:
    transcripts = tuple(change(item) if item.protocol is protocol else item for item in evidence.transcripts)
    return replace(evidence, transcripts=transcripts)
