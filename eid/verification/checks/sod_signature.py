"""sod.signature: the document signer signed the LDS security object (Doc 9303-11 5.1, RFC 5652 5.4 to 5.6)."""

from __future__ import annotations

from typing import Final

from eid.codec.cms import SignerInfo
from eid.codec.defect import Defect, DefectCode
from eid.codec.x509 import Certificate
from eid.crypto.signatures import PublicKey
from eid.errors import DecodeError, Reason, VerificationError
from eid.pki.cms_signature import is_named_by, verify_cms_signature
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.signers import describe_tolerated, load_signer_key

MAX_TRIALS: Final = 64  # certificates; each costs a verification
_LENIENCIES: Final = frozenset({DefectCode.SIGNED_AS_STORED, DefectCode.DIGEST_INFO_PARAMETERS})


def run(case: Case, check_id: str) -> str:
    """Find the signer's certificate, compare the message digest, verify the signature over the signed attributes."""
    info = case.require_sod().signed_data.signer_info
    if len(case.signers) > 1:
        return _find_by_trial(case, info)
    tolerated = _require_named(case, case.require_signer(), info)
    needed = _verify(case, case.require_signer_key())
    return describe_tolerated((*tolerated, *needed)) if tolerated or needed else ""


def _require_named(case: Case, signer: Certificate, info: SignerInfo) -> tuple[DefectCode, ...]:
    """Raise unless SignerInfo names the certificate; a policy may tolerate that it does not.

    Nothing rests on the name: the signature and the path decide. Some issuers write it in another string type.
    """
    if is_named_by(signer, info):
        return ()
    if DefectCode.SIGNER_IDENTIFIER in case.policy.tolerated:
        return (DefectCode.SIGNER_IDENTIFIER,)
    raise VerificationError(Reason.NO_SIGNING_CERTIFICATE_FOUND, "the certificate is not the one SignerInfo names")


def _find_by_trial(case: Case, info: SignerInfo) -> str:
    """Of several certificates, the only one whose key made the signature; with two, nothing says which was meant."""
    tolerated = _require_named(case, case.signers[0], info)  # all of them are named, or none is
    found: list[tuple[Certificate, PublicKey, tuple[DefectCode, ...]]] = []
    for signer in case.signers[:MAX_TRIALS]:
        try:
            key = load_signer_key(signer.spki_raw)
            found.append((signer, key, _verify(case, key)))
        except (VerificationError, DecodeError):
            continue
    if len(found) != 1:
        what = "several certificates have the key that signed" if found else "no certificate has the key that signed"
        if len(case.signers) > MAX_TRIALS:
            what += f", of the first {MAX_TRIALS} of at least {len(case.signers)}; the others were not tried"
        raise VerificationError(Reason.NO_SIGNING_CERTIFICATE_FOUND, what)
    case.signer, case.signer_key, needed = found[0]
    return describe_tolerated((*tolerated, *needed))


def _verify(case: Case, key: PublicKey) -> tuple[DefectCode, ...]:
    """Verify the signature; the leniencies of the policy that it needed.

    Some issuers sign the attributes in the order in which they store them, where RFC 5652 5.4 has them in DER; some
    leave the parameters of the hash out of a PKCS#1 v1.5 DigestInfo (RFC 8017 B.1).
    """
    defects: list[Defect] | None = None if _LENIENCIES.isdisjoint(case.policy.tolerated) else []
    verify_cms_signature(case.require_sod().signed_data, key, defects)
    if not defects:
        return ()
    needed = tuple(item.code for item in defects)
    if not case.policy.tolerated.issuperset(needed):
        raise VerificationError(Reason.SIG_CRYPTO_FAILURE, "the signature does not verify")
    return needed


SOD_SIGNATURE: Final = Check("sod.signature", "Doc 9303-11 5.1", run)
