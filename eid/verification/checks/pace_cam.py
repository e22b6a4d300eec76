"""chip.pace_cam: the chip proved by PACE the key that the issuer signed in EF.CardSecurity (Doc 9303-11 4.4.3.5).

As with Chip Authentication only the terminal that ran it is convinced: to whoever knows the mapping key, any chip's
public key and data can be made to agree. So the word of a known station counts, or this verifier's own, and no other.
"""

from __future__ import annotations

from typing import Final

from eid.codec.oid import encode_oid_content
from eid.crypto.group import Group
from eid.errors import AuthenticationError, Reason, VerificationError
from eid.evidence import ProtocolName, ProtocolOutcome, ProtocolTranscript
from eid.lds.card_security import CardSecurity
from eid.lds.files import EF_CARD_ACCESS
from eid.lds.security_infos import ID_PACE_ECDH_CAM, PACEInfo
from eid.protocols.chip_authentication.public_key import find_public_key
from eid.protocols.pace.core import (
    ChipAuthenticationData,
    Mapping,
    find_parameters,
    verify_chip_authentication_data,
)
from eid.verification.card_security import require_card_security
from eid.verification.case import Case
from eid.verification.checks.check import Check, Shortfall
from eid.verification.checks.chip_authentication import require_witness

_MAPPING: Final = encode_oid_content(ID_PACE_ECDH_CAM)
_NOT_RUN: Final = Shortfall(Reason.NOT_ATTEMPTED, "PACE was not run with chip-authentication mapping")
_NOT_ANNOUNCED: Final = Shortfall(Reason.CHIP_CANNOT, "the chip announces no chip-authentication mapping")
_NOT_TOLD: Final = Shortfall(Reason.DATA_MISSING, "DG14, which would tell of the mapping, was not read or is not bound")


def run(case: Case, check_id: str) -> str | Shortfall:
    """Decide what the transcript of PACE with chip-authentication mapping is worth."""
    transcript = case.evidence.transcript(ProtocolName.PACE)
    info = None if transcript is None else _find_info(transcript)
    if transcript is None or info is None or transcript.outcome is not ProtocolOutcome.SUCCEEDED:
        return _why_not(case)
    witness = require_witness(case)
    file = require_card_security(case)
    if info not in file.pace_infos:
        raise VerificationError(Reason.KEY_MISMATCH, "EF.CardSecurity announces no such PACE protocol")
    parameters = find_parameters(info)
    if parameters is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"PACE {info.protocol} with {info.parameter_id}")
    _verify(transcript, parameters.group, _find_keys(file, parameters.group))
    return witness


def _find_info(transcript: ProtocolTranscript) -> PACEInfo | None:
    """The PACEInfo that the transcript names; None where it is not of this mapping."""
    protocol, number = transcript.parameters.get("oid", ""), transcript.parameters.get("parameter_id", "")
    if not protocol.startswith(f"{ID_PACE_ECDH_CAM}.") or not (number.isascii() and number.isdecimal()):
        return None
    info = PACEInfo(protocol, 2, int(number[:4]))
    parameters = find_parameters(info)
    return info if parameters is None or parameters.mapping is Mapping.CHIP_AUTHENTICATION else None


def _why_not(case: Case) -> Shortfall:
    """PACE ran otherwise, or not at all: whether the chip could have done better."""
    for name in (EF_CARD_ACCESS.name, "DG14"):
        raw = case.content(name)
        if raw is not None and raw.find(_MAPPING) >= 0:
            return _NOT_RUN
    # That the chip cannot is for the issuer to say: whoever sends evidence may leave the announcement out.
    if case.is_bound(14) or (case.passed("ds.path") and _lists_no_dg14(case)):
        return _NOT_ANNOUNCED
    return _NOT_TOLD


def _lists_no_dg14(case: Case) -> bool:
    return case.passed("sod.signature") and case.sod is not None and 14 not in case.sod.data_group_hashes


def _find_keys(file: CardSecurity, group: Group) -> list[bytes]:
    """The chip's static keys in the group in which PACE was run, each an encoded element."""
    found = (find_public_key(info.protocol, info.public_key_info) for info in file.public_keys)
    keys = [element for other, element in (item for item in found if item is not None) if other.name == group.name]
    if not keys:
        raise VerificationError(Reason.KEY_MISMATCH, "EF.CardSecurity holds no key in the group that PACE used")
    return keys


def _verify(transcript: ProtocolTranscript, group: Group, keys: list[bytes]) -> None:
    data = ChipAuthenticationData(
        transcript.messages.get("chip_authentication_data", b""), transcript.messages.get("mapping_public_key", b"")
    )
    for key in keys:
        try:
            verify_chip_authentication_data(group, data, key)
        except AuthenticationError:
            continue
        return
    raise VerificationError(Reason.CLONE_SUSPECTED, "the chip did not prove the key that the issuer signed")


PACE_CAM: Final = Check("chip.pace_cam", "Doc 9303-11 4.4.3.5.2", run)
