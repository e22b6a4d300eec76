"""The quality check of personalisation: read the locked card as a stranger would, and insist that it verifies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from eid.errors import DecodeError, LifecycleError, ProtocolError, StatusWordError
from eid.evidence import Evidence
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.lds.files import EF_CVCA
from eid.personalization.build import CardData
from eid.pki.trust_store import build_trust_store
from eid.profile.card_image import PasswordId
from eid.profile.schema import TERMINAL_RULES, CardProfile
from eid.protocols.active_authentication.core import CHALLENGE_LENGTH
from eid.protocols.exchange import CheckpointSink, Connection, drive
from eid.protocols.pace.core import Password
from eid.services.pki.authority import IssuingAuthority
from eid.verification.policy import load_policy
from eid.verification.report import Outcome, Verdict, VerificationReport
from eid.verification.verify import verify

CHIP_ANSWERS: Final = "strict"
CHIP_CANNOT_SIGN: Final = "border"


class QualityError(LifecycleError):
    """A card that was written does not verify, or does not hold what was meant: it is spoiled."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the card failed its quality check ({why}); it is spoiled: destroy it, and begin anew")


def check_quality(
    data: CardData,
    profile: CardProfile,
    authority: IssuingAuthority,
    connection: Connection,
    reader: str,
    now: datetime,
    random: Callable[[int], bytes],
    sink: CheckpointSink,
) -> tuple[Evidence, VerificationReport]:
    """Read a written card and judge it.

    Raises:
        QualityError: the card is spoiled. TransportError: it was lost while it was read.
    """
    challenge = random(CHALLENGE_LENGTH)
    password = _choose_password(data)
    # Chip Authentication convinces this reader alone; `strict` wants the answer to a challenge, where the chip can.
    policy = load_policy(CHIP_ANSWERS if "DG15" in profile.application.data_groups else CHIP_CANNOT_SIGN)
    foreign_curves = profile.access.has_own_curves_only
    if foreign_curves:  # whoever else reads the card decides for himself; its issuer chose the curve
        policy = replace(policy, foreign_curves=True)
    plan = InspectionPlan(
        password,
        challenge=challenge,
        reader=reader,
        policy=policy.name,
        allow_bac=password.id is PasswordId.MRZ,
        max_response=profile.chip.max_response_data,
        aid=profile.application.aid,
        foreign_curves=foreign_curves,
    )
    connection.reset()
    try:
        evidence = drive(inspect(plan, now, random), connection, sink)
    except (ProtocolError, StatusWordError, DecodeError) as failure:
        raise QualityError(str(failure)) from failure
    trust = build_trust_store(authority.csca_certificates, authority.crls)
    report = verify(evidence, trust, policy, time=now, expected_challenge=challenge)
    faults = [*_not_passed(report), *_differences(data, evidence)]
    if report.verdict is not Verdict.TOTAL_PASSED or faults:
        raise QualityError(", ".join(faults) or report.verdict.value)
    return evidence, report


def _choose_password(data: CardData) -> Password:
    """CAN where the card has one, else MRZ."""
    passwords = {item.id: item.value for item in data.image.passwords}
    chosen = PasswordId.CAN if PasswordId.CAN in passwords and data.image.pace else PasswordId.MRZ
    return Password(chosen, passwords[chosen])


def _not_passed(report: VerificationReport) -> list[str]:
    """The checks that keep the report from passing."""
    if report.verdict is Verdict.TOTAL_PASSED:
        return []
    harmless = (Outcome.PASSED, Outcome.NOT_SUPPORTED)
    return [item.id for item in report.failures or report.checks if item.outcome not in harmless]


def _differences(data: CardData, evidence: Evidence) -> list[str]:
    """Files that were read otherwise than they were written, or read although a terminal's rights should keep them."""
    faults = []
    for file in (*data.image.master_files, *data.image.applications[0].files):
        content = evidence.content(file.name)
        if file.read in TERMINAL_RULES:
            faults += [f"{file.name} is open to everybody"] if content is not None else []
        elif file.name != EF_CVCA.name and content != file.content:  # EF.CVCA is read by terminals that need it
            faults.append(f"{file.name} differs")
    return faults
