"""sod.format: EF.SOD is what Doc 9303-10 4.6.2 says, in DER, with nothing around it."""

from __future__ import annotations

from typing import Final

from eid.codec.ber import convert_ber
from eid.codec.cms import SignerInfo
from eid.codec.defect import Defect, DefectCode, Defects
from eid.codec.x509 import Certificate
from eid.errors import DecodeError, Reason, VerificationError
from eid.lds.sod import MAX_SOD, SecurityObject, decode_ef_sod
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.signers import decode_signer


def run(case: Case, check_id: str) -> str:
    """Decode EF.SOD and the certificate in it; a departure that the policy does not tolerate is a failure."""
    raw = case.content("EF.SOD")
    if raw is None:
        raise VerificationError(Reason.DATA_MISSING, "EF.SOD was not read")
    defects: list[Defect] | None = [] if case.policy.tolerated else None
    sod = _decode(raw, defects, DefectCode.NOT_DER in case.policy.tolerated)
    signer = _find_signer(sod, defects)
    refused = [item for item in defects or () if item.code not in case.policy.tolerated]
    if refused:
        raise VerificationError(Reason.FORMAT_FAILURE, refused[0].what, clause=refused[0].clause)
    case.sod, case.signer = sod, signer
    return f"tolerated: {', '.join(sorted({item.code for item in defects}))}" if defects else ""


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
        defects[:] = [Defect(DefectCode.NOT_DER, refusal.what, refusal.offset or 0, "Doc 9303-10 4.6.2.2")]
        return decode_ef_sod(converted, defects)


def _find_signer(sod: SecurityObject, defects: Defects) -> Certificate | None:
    """The certificate that SignerInfo names, else the first there is; none where EF.SOD carries none."""
    certificates = []
    for raw in sod.certificates:
        certificate, found = decode_signer(raw, defects is not None)
        certificates.append(certificate)
        if found and defects is not None:
            defects.extend(found)
    if len(certificates) > 1:
        info = sod.signed_data.signer_info
        return next((item for item in certificates if is_named_by(item, info)), certificates[0])
    return certificates[0] if certificates else None


def is_named_by(certificate: Certificate, info: SignerInfo) -> bool:
    """Whether SignerInfo names this certificate, by key identifier or by issuer and serial (RFC 5652 5.3)."""
    if info.subject_key_identifier is not None:
        return info.subject_key_identifier == certificate.extensions.subject_key_identifier
    return info.issuer_raw == certificate.issuer_raw and info.serial == certificate.serial


SOD_FORMAT: Final = Check("sod.format", "Doc 9303-10 4.6.2", run)
