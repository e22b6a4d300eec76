"""A card whose profile has quirks, read and judged. SPECIMEN."""

from __future__ import annotations

from datetime import UTC, datetime

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU, decode_command
from eid.evidence import Evidence
from eid.inspection import InspectionPlan, inspect
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import SpecimenCard, build_specimen, issue_data, specimen_for
from eid.transport.loopback import LoopbackConnection
from eid.verification.policy import load_policy
from eid.verification.report import Verdict, VerificationReport
from eid.verification.verify import verify

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CHALLENGE = bytes(range(8))


def with_quirks(name: str, **quirks: object) -> CardProfile:
    profile = load_profile(name).profile
    table = profile.model_dump(mode="json") | {"quirks": quirks}
    return CardProfile.model_validate(table)


def card_with(name: str = "ma-cnie", **quirks: object) -> SpecimenCard:
    profile = with_quirks(name, **quirks)
    authority = SpecimenAuthority(profile, NOW)
    return issue_data(profile, authority, build_specimen(profile, authority, specimen_for(profile, NOW)))


class Counted(LoopbackConnection):
    """Keeps every command and answer."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__(card)
        self.log: list[tuple[CommandAPDU, bytes]] = []

    def transmit(self, command: bytes) -> bytes:
        answer = super().transmit(command)
        self.log.append((decode_command(command), answer))
        return answer

    def statuses(self) -> set[str]:
        return {answer[-2:].hex().upper() for _, answer in self.log}


def read(specimen: SpecimenCard, password: bytes | None = None, **wishes: object) -> tuple[Evidence, Counted]:
    link = Counted(specimen.card)
    value = specimen.mrz_information.encode() if password is None else password
    plan = InspectionPlan(Password(PasswordId.MRZ, value), challenge=CHALLENGE, **wishes)
    return drive(inspect(plan, NOW), link), link


def require_genuine(specimen: SpecimenCard, evidence: Evidence) -> None:
    for name, content in specimen.files.items():
        assert evidence.content(name) == content, name
    report = judge(specimen, evidence, "border")
    assert report.verdict is Verdict.TOTAL_PASSED, report.checks


def judge(specimen: SpecimenCard, evidence: Evidence, policy: str) -> VerificationReport:
    return verify(evidence, specimen.trust, load_policy(policy), time=NOW, expected_challenge=CHALLENGE)
