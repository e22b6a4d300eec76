"""chip.ca: the chip holds the Chip Authentication key that the issuer signed (Doc 9303-11 6.2).

Only the terminal that ran the protocol is convinced by it: whoever holds the ephemeral key can write such a transcript.
So a transcript counts when this verifier ran it, or a station whose signature verified; from anyone else it is a claim.
"""

from __future__ import annotations

from typing import Final

from eid.codec.oid import encode_oid_content
from eid.errors import Reason, VerificationError
from eid.evidence import Origin, ProtocolName, ProtocolOutcome
from eid.lds.dg14 import find_in_dg14
from eid.lds.security_infos import ID_PK, ID_PK_DH, ID_PK_ECDH, ChipAuthenticationPublicKeyInfo
from eid.verification.case import Case
from eid.verification.checks.check import Check, Shortfall

DATA_GROUP: Final = 14
_PUBLIC_KEYS: Final = (ID_PK_DH, ID_PK_ECDH)
_ANY_PUBLIC_KEY: Final = encode_oid_content(ID_PK)
_NO_KEY: Final = Shortfall(Reason.CHIP_CANNOT, "DG14 announces no Chip Authentication key")
_NOT_RUN: Final = Shortfall(Reason.NOT_ATTEMPTED, "Chip Authentication was not run")


def run(case: Case, check_id: str) -> str | Shortfall:
    """Decide what the transcript of Chip Authentication is worth."""
    dg14 = case.require_bound(DATA_GROUP)
    transcript = case.evidence.transcript(ProtocolName.CHIP_AUTHENTICATION)
    if transcript is None or transcript.outcome is ProtocolOutcome.NOT_ATTEMPTED:
        # Passive Authentication alone is judged often: without a run, DG14 need not be decoded to know what is missing.
        # By `find`: `in` would first ask whether the identifier is a number.
        return _NO_KEY if dg14.find(_ANY_PUBLIC_KEY) < 0 else _NOT_RUN
    keys = _announced_keys(dg14)
    if not keys:
        return _NO_KEY
    if transcript.outcome is ProtocolOutcome.LINK_LOST:
        raise VerificationError(Reason.TRANSPORT_LOST, "the card was lost during Chip Authentication")
    if transcript.outcome is not ProtocolOutcome.SUCCEEDED:
        raise VerificationError(Reason.CLONE_SUSPECTED, "the chip did not prove the key that the issuer signed")
    witness = require_witness(case)
    if transcript.messages.get("chip_public_key") not in keys:
        raise VerificationError(Reason.KEY_MISMATCH, "Chip Authentication ran with a key that DG14 does not hold")
    return witness


def _announced_keys(dg14: bytes) -> frozenset[bytes]:
    infos = find_in_dg14(dg14, _PUBLIC_KEYS)
    return frozenset(info.public_key_info for info in infos if isinstance(info, ChipAuthenticationPublicKeyInfo))


def require_witness(case: Case) -> str:
    """Who ran the protocol, if it is somebody whose word counts.

    Raises:
        VerificationError: CLIENT_ASSERTED, UNTRUSTED_STATION.
    """
    if case.relayed:
        return "run by this verifier, through a relayed reader"
    if case.evidence.origin is not Origin.STATION or case.envelope is None:
        raise VerificationError(Reason.CLIENT_ASSERTED, "whoever sent this evidence claims it; nothing proves it")
    if not case.passed("station.signature"):
        raise VerificationError(Reason.UNTRUSTED_STATION, "only a known station's word would count")
    return "on the word of a known station"


CHIP_AUTHENTICATION: Final = Check("chip.ca", "Doc 9303-11 6.2", run)
