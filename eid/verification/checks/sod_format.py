"""sod.format: EF.SOD is what Doc 9303-10 4.6.2 says, in DER, with nothing around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from eid.codec.ber import convert_ber
from eid.codec.cms import SignerInfo, keep_stored_attributes
from eid.codec.defect import Defect, DefectCode, Defects
from eid.codec.x509 import Certificate
from eid.errors import DecodeError, Reason, VerificationError
from eid.lds.sod import MAX_SOD, SecurityObject, decode_ef_sod
from eid.pki.cms_signature import is_named_by
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.signers import decode_signer, describe_tolerated

_CLAUSE: Final = "Doc 9303-10 4.6.2.2"


def run(case: Case, check_id: str) -> str:
    """Decode EF.SOD and the certificate in it; a departure that the policy does not tolerate is a failure."""
    raw = case.content("EF.SOD")
    if raw is None:
        raise VerificationError(Reason.DATA_MISSING, "EF.SOD was not read")
    tolerated = case.policy.tolerated
    defects: list[Defect] | None = [] if tolerated else None
    sod = _decode(raw, defects, DefectCode.NOT_DER in tolerated)
    signers = _read_signers(case, sod, defects)
    refused = [item for item in defects or () if item.code not in tolerated]
    if refused:
        raise VerificationError(Reason.FORMAT_FAILURE, refused[0].what, clause=refused[0].clause)
    case.sod, case.signers = sod, signers
    case.signer = signers[0] if len(signers) == 1 else None
    return describe_tolerated(item.code for item in defects) if defects else ""


def _decode(raw: bytes, defects: list[Defect] | None, accept_ber: bool) -> SecurityObject:
    """EF.SOD as DER; where that fails and the policy tolerates it, as BER made into DER."""
    if not accept_ber or defects is None:
        return decode_ef_sod(raw, defects)
    try:
        return decode_ef_sod(raw, defects)
    except DecodeError as refusal:
        converted = convert_ber(raw, MAX_SOD)
        if converted == raw:
            raise
        defects[:] = [Defect(DefectCode.NOT_DER, refusal.what, refusal.offset or 0, _CLAUSE)]
        sod = decode_ef_sod(converted, defects)
        return replace(sod, signed_data=keep_stored_attributes(sod.signed_data, raw))


def _read_signers(case: Case, sod: SecurityObject, defects: Defects) -> tuple[Certificate, ...]:
    """The certificates that may be the signer's: those that SignerInfo names, of EF.SOD, else of the trust store; where
    none is named, all of EF.SOD, for `sod.signature` to try.
    """
    info = sod.signed_data.signer_info
    carried = _decode_all(sod.certificates, defects)
    if len(carried) == 1 and is_named_by(carried[0], info):
        return carried
    named = tuple(item for item in carried if is_named_by(item, info))
    if not named and DefectCode.SIGNER_OUTSIDE in case.policy.tolerated and defects is not None:
        named = _decode_all(_find_outside(case, info), defects)
        if named:
            what = "the signer's certificate is not in EF.SOD"
            defects.append(Defect(DefectCode.SIGNER_OUTSIDE, what, 0, _CLAUSE))
    return named or carried


def _find_outside(case: Case, info: SignerInfo) -> tuple[bytes, ...]:
    """Certificates of the trust store that SignerInfo names. They are trusted no more for lying there."""
    if info.subject_key_identifier is not None:
        return case.trust.find_signers_by_key(info.subject_key_identifier)
    if info.issuer_raw is None or info.serial is None:
        return ()
    return case.trust.find_signers(info.issuer_raw, info.serial)


def _decode_all(raw_certificates: tuple[bytes, ...], defects: Defects) -> tuple[Certificate, ...]:
    certificates = []
    for raw in raw_certificates:
        certificate, found = decode_signer(raw, defects is not None)
        certificates.append(certificate)
        if found and defects is not None:
            defects.extend(found)
    return tuple(certificates)


SOD_FORMAT: Final = Check("sod.format", "Doc 9303-10 4.6.2", run)
