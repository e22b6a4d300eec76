"""chip.aa: the chip signed the challenge with the key that the issuer signed (Doc 9303-11 6.1)."""

from __future__ import annotations

import hmac
from typing import Final

from eid.errors import Reason, VerificationError
from eid.evidence import ProtocolName, ProtocolOutcome, ProtocolTranscript
from eid.lds.dg14 import find_in_dg14
from eid.lds.dg15 import decode_dg15
from eid.lds.security_infos import ID_AA, ActiveAuthenticationInfo
from eid.protocols.active_authentication.core import verify_active_authentication
from eid.verification.case import Case
from eid.verification.checks.check import Check, Shortfall
from eid.verification.checks.chip_authentication import require_witness
from eid.verification.checks.deviations import find_deviations, is_key_compromised

DATA_GROUP: Final = 15
_NOT_RUN: Final = Shortfall(Reason.NOT_ATTEMPTED, "Active Authentication was not run")


def run(case: Case, check_id: str) -> str | Shortfall:
    """Verify the chip's signature over the challenge that was asked."""
    dg15 = case.require_bound(DATA_GROUP)
    transcript = case.evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    if transcript is None or transcript.outcome is ProtocolOutcome.NOT_ATTEMPTED:
        return _NOT_RUN
    if transcript.outcome is ProtocolOutcome.LINK_LOST:
        raise VerificationError(Reason.TRANSPORT_LOST, "the card was lost during Active Authentication")
    if transcript.outcome is not ProtocolOutcome.SUCCEEDED:
        raise VerificationError(Reason.CLONE_SUSPECTED, "the chip did not sign with the key that the issuer signed")
    challenge = _require_challenge(case, transcript)
    signature = transcript.messages.get("signature", b"")
    verify_active_authentication(decode_dg15(dg15).public_key_info, _announced(case), challenge, signature)
    if is_key_compromised(find_deviations(case)):
        raise VerificationError(Reason.KEY_COMPROMISED, "the issuer says that others may know the chip's key")
    if case.expected_challenge is None:
        if case.policy.issued_challenge:
            require_witness(case)  # what this verifier did not ask, a known station must have
        whose = "the reader's own challenge" if case.evidence.challenge is None else "the challenge in the evidence"
        return f"over {whose}; nothing here says when it was asked"
    return "over the challenge that was issued for this verification"


def _announced(case: Case) -> ActiveAuthenticationInfo | None:
    """What the signed DG14 says of the algorithm, if it says anything."""
    raw = case.content("DG14")
    if raw is None or not case.is_bound(14):
        return None
    infos = find_in_dg14(raw, (ID_AA,))
    return next((info for info in infos if isinstance(info, ActiveAuthenticationInfo)), None)


def _require_challenge(case: Case, transcript: ProtocolTranscript) -> bytes:
    answered = transcript.messages.get("challenge", b"")
    asked = case.expected_challenge if case.expected_challenge is not None else case.evidence.challenge
    # Where nobody asked, the reader drew one: the chip is genuine, but when it answered nobody knows.
    if asked is not None and not hmac.compare_digest(answered, asked):
        raise VerificationError(Reason.CHALLENGE_MISMATCH, "the chip answered another challenge than was asked")
    return answered


ACTIVE_AUTHENTICATION: Final = Check("chip.aa", "Doc 9303-11 6.1", run)
