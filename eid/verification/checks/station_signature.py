"""station.signature: a known inspection station gathered this evidence, and nobody changed it since."""

from __future__ import annotations

from typing import Final

from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check, Shortfall

ES256: Final = SignatureAlgorithm("ecdsa-plain", "sha256")  # RFC 9053 2.1
_NOT_SIGNED: Final = Shortfall(Reason.NOT_ATTEMPTED, "no station signed this evidence")


def run(case: Case, check_id: str) -> str | Shortfall:
    """Verify the envelope with the key that the operator pinned for its key identifier."""
    envelope = case.envelope
    if envelope is None:
        return _NOT_SIGNED
    key = case.stations.get(envelope.key_id)
    if key is None:
        raise VerificationError(Reason.UNTRUSTED_STATION, "the station that signed this evidence is not known here")
    try:
        verify_signature(key, ES256, envelope.to_be_signed, envelope.signature)
    except VerificationError as failure:
        raise VerificationError(Reason.STATION_SIGNATURE_FAILURE, "the station's signature is wrong") from failure
    return ""


STATION_SIGNATURE: Final = Check("station.signature", "RFC 9052 4.4", run)
